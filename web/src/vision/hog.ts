// Histograms of oriented gradients (Dalal and Triggs 2005) of a 48 × 48 crop, as OpenCV's
// HOGDescriptor((48, 48), (16, 16), (8, 8), (8, 8), 9) computes them. Ported from OpenCV 4's hog.cpp.

import { FACE_SIZE } from "./crop";
import type { Pixels } from "./resize";

const BINS = 9;
const CELL = 8;
const BLOCK = 16;
const STRIDE = 8;
const CELLS = BLOCK / CELL;
const BLOCKS = (FACE_SIZE - BLOCK) / STRIDE + 1;
const BLOCK_LENGTH = CELLS * CELLS * BINS;
const LARGEST_SHARE = 0.2;

/** Number of values that `hog` returns. */
export const HOG_LENGTH = BLOCKS * BLOCKS * BLOCK_LENGTH;

/** Each pixel's gradient: in which two bins it counts, and how much in each. */
interface Gradients {
  readonly bins: Uint8Array;
  readonly shares: Float32Array;
}

/** Returns the descriptor, HOG_LENGTH values. */
export function hog(crop: Pixels): Float32Array {
  const gradients = gradientsOf(crop);
  const out = new Float32Array(HOG_LENGTH);
  // Blocks, and the cells within each, stand column by column.
  for (let column = 0; column < BLOCKS; column++) {
    for (let row = 0; row < BLOCKS; row++) {
      const start = (column * BLOCKS + row) * BLOCK_LENGTH;
      const block = out.subarray(start, start + BLOCK_LENGTH);
      addBlock(gradients, column * STRIDE, row * STRIDE, block);
      normalise(block);
    }
  }
  return out;
}

function gradientsOf({ data }: Pixels): Gradients {
  const size = FACE_SIZE;
  const bins = new Uint8Array(2 * size * size);
  const shares = new Float32Array(2 * size * size);
  const mirrored = (i: number) => (i < 0 ? 1 : i >= size ? size - 2 : i);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const dx = data[y * size + mirrored(x + 1)]! - data[y * size + mirrored(x - 1)]!;
      const dy = data[mirrored(y + 1) * size + x]! - data[mirrored(y - 1) * size + x]!;
      const position = (angleDegrees(dx, dy) / 180) * BINS - 0.5;
      const first = Math.floor(position);
      const part = position - first;
      const at = 2 * (y * size + x);
      const magnitude = Math.hypot(dx, dy);
      bins[at] = (first + BINS) % BINS;
      bins[at + 1] = (first + 1 + BINS) % BINS;
      shares[at] = magnitude * (1 - part);
      shares[at + 1] = magnitude * part;
    }
  }
  return { bins, shares };
}

/** OpenCV's approximation of the arc tangent, in degrees from 0 to 360. */
function angleDegrees(x: number, y: number): number {
  const [ax, ay] = [Math.abs(x), Math.abs(y)];
  if (ax === 0 && ay === 0) return 0;
  const c = Math.min(ax, ay) / Math.max(ax, ay);
  const square = c * c;
  const series =
    ((-0.04432655554792128 * square + 0.1555786518463281) * square - 0.3258083974640975) * square +
    0.9997878412794807;
  let angle = (series * c * 180) / Math.PI;
  if (ax < ay) angle = 90 - angle;
  if (x < 0) angle = 180 - angle;
  return y < 0 ? 360 - angle : angle;
}

/** Adds the gradients of one block's pixels to the histograms of its cells. */
function addBlock(
  { bins, shares }: Gradients,
  left: number,
  top: number,
  block: Float32Array,
): void {
  for (let y = 0; y < BLOCK; y++) {
    for (let x = 0; x < BLOCK; x++) {
      const at = 2 * ((top + y) * FACE_SIZE + left + x);
      const weight = Math.exp(-((x - BLOCK / 2) ** 2 + (y - BLOCK / 2) ** 2) / 32);
      for (const [column, shareX] of cellsAt(x)) {
        for (const [row, shareY] of cellsAt(y)) {
          const cell = (column * CELLS + row) * BINS;
          const share = weight * shareX * shareY;
          block[cell + bins[at]!] = block[cell + bins[at]!]! + shares[at]! * share;
          block[cell + bins[at + 1]!] = block[cell + bins[at + 1]!]! + shares[at + 1]! * share;
        }
      }
    }
  }
}

/** The cells that a pixel counts in along one axis, each with its share. */
const CELLS_AT = Array.from({ length: BLOCK }, (_, pixel) => {
  const position = (pixel + 0.5) / CELL - 0.5;
  const first = Math.floor(position);
  const part = position - first;
  const both: [number, number][] = [
    [first, 1 - part],
    [first + 1, part],
  ];
  return both.filter(([cell]) => cell >= 0 && cell < CELLS);
});

function cellsAt(pixel: number): [number, number][] {
  return CELLS_AT[pixel]!;
}

/** Divides a block by its length, takes the peaks off and divides again (L2-Hys). */
function normalise(block: Float32Array): void {
  const first = 1 / (lengthOf(block) + BLOCK_LENGTH * 0.1);
  block.forEach((value, i) => (block[i] = Math.min(value * first, LARGEST_SHARE)));
  const second = 1 / (lengthOf(block) + 1e-3);
  block.forEach((value, i) => (block[i] = value * second));
}

function lengthOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
