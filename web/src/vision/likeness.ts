// Does a crop look like a face at all? mien.engine.likeness in Python, with the same weights.

import { hog } from "./hog";
import type { Pixels } from "./resize";

/** A small network of fully connected layers on the run of a crop's edges. */
export class FaceLikeness {
  /** The layers' sizes, input first, and their weights and biases one after another. */
  constructor(
    private readonly sizes: readonly number[],
    private readonly parameters: Float32Array,
  ) {}

  /** How much a crop looks like a face: log odds. */
  score(crop: Pixels, brightness: number, contrast: number): number {
    let values: Float32Array = Float32Array.of(...hog(crop), brightness / 255, contrast / 64);
    let at = 0;
    for (let layer = 1; layer < this.sizes.length; layer++) {
      const outputs = this.sizes[layer]!;
      const weights = this.parameters.subarray(at, (at += values.length * outputs));
      const biases = this.parameters.subarray(at, (at += outputs));
      values = dense(values, weights, biases, layer + 1 < this.sizes.length);
    }
    return values[0]!;
  }
}

/** values @ weights + biases; below 0 becomes 0 if `rectify`. */
function dense(
  values: Float32Array,
  weights: Float32Array,
  biases: Float32Array,
  rectify: boolean,
): Float32Array {
  const out = Float32Array.from(biases);
  values.forEach((value, i) => {
    const row = i * out.length;
    for (let j = 0; j < out.length; j++) out[j] = out[j]! + value * weights[row + j]!;
  });
  return rectify ? out.map((value) => Math.max(value, 0)) : out;
}
