// What makes a face too poor, or its label too doubtful, to rely upon: mien.engine.gate in Python.

import { type Box, FACE_SIZE } from "./crop";
import type { Pixels } from "./resize";

/** The least that a face must offer, or its result is uncertain. */
export interface QualityGate {
  readonly min_side_px: number;
  readonly min_inside: number;
  readonly min_brightness: number;
  readonly max_brightness: number;
  readonly min_contrast: number;
  readonly min_sharpness: number;
  readonly max_sharpness: number;
  readonly min_likeness: number;
  readonly min_confidence: number;
}

/** What can be measured of one face; see mien.engine.gate.Quality. */
export interface Quality {
  readonly sidePx: number;
  readonly inside: number;
  readonly brightness: number;
  readonly contrast: number;
  readonly sharpness: number;
  readonly likeness: number;
}

export function measureQuality(
  crop: Pixels,
  likeness: number,
  box: Box,
  picture: { readonly width: number; readonly height: number },
): Quality {
  const shownWidth = Math.min(box.x + box.width, picture.width) - Math.max(box.x, 0);
  const shownHeight = Math.min(box.y + box.height, picture.height) - Math.max(box.y, 0);
  const boxArea = box.width * box.height;
  const [brightness, contrast] = meanAndDeviation(crop.data);
  const [, edges] = meanAndDeviation(laplacian(crop));
  return {
    sidePx: Math.max(box.width, box.height),
    inside: boxArea ? (Math.max(shownWidth, 0) * Math.max(shownHeight, 0)) / boxArea : 0,
    brightness,
    contrast,
    sharpness: edges / Math.max(contrast, 1),
    likeness,
  };
}

/** Whether a face of that quality, labelled with that confidence, can be relied upon. */
export function passes(gate: QualityGate, quality: Quality, confidence: number): boolean {
  return (
    confidence >= gate.min_confidence &&
    quality.sidePx >= gate.min_side_px &&
    quality.inside >= gate.min_inside &&
    quality.brightness >= gate.min_brightness &&
    quality.brightness <= gate.max_brightness &&
    quality.contrast >= gate.min_contrast &&
    quality.sharpness >= gate.min_sharpness &&
    quality.sharpness <= gate.max_sharpness &&
    quality.likeness >= gate.min_likeness
  );
}

/** Each pixel's four neighbours less four times itself; the border is mirrored. */
function laplacian({ data }: Pixels): Float32Array {
  const size = FACE_SIZE;
  const mirrored = (i: number) => (i < 0 ? 1 : i >= size ? size - 2 : i);
  const out = new Float32Array(size * size);
  for (let y = 0; y < size; y++) {
    const [above, here, below] = [mirrored(y - 1) * size, y * size, mirrored(y + 1) * size];
    for (let x = 0; x < size; x++) {
      const sides = data[here + mirrored(x - 1)]! + data[here + mirrored(x + 1)]!;
      out[here + x] = sides + data[above + x]! + data[below + x]! - 4 * data[here + x]!;
    }
  }
  return out;
}

function meanAndDeviation(values: ArrayLike<number>): [number, number] {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i]!;
    squares += values[i]! ** 2;
  }
  const mean = sum / values.length;
  return [mean, Math.sqrt(Math.max(squares / values.length - mean ** 2, 0))];
}
