// What a face looks like, coarsely: which way its edges run (Dalal and Triggs 2005). Two looks are
// compared by their scalar product: 1 is the same, 0 is nothing in common.

import type { Box } from "./crop";
import type { Grey } from "./flow";

const SIDE = 48;
const CELL = 8;
const CELLS = SIDE / CELL;
const BINS = 9;
const BLOCKS = CELLS - 1;

export type Look = Float32Array;

/** Looks at a face in a picture that is smaller than the one the box is in by `scale`. */
export function lookAt(grey: Grey, box: Box, scale: number): Look {
  return unit(centred(blocksOf(cellsOf(cut(grey, box, scale)))));
}

/** How much alike two looks are, −1 to 1. */
export function likeness(a: Look, b: Look): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Two looks in one, by a weight of the first. */
export function mixed(a: Look, b: Look, weightOfFirst: number): Look {
  return unit(a.map((value, i) => weightOfFirst * value + (1 - weightOfFirst) * b[i]!));
}

function cut({ data, width, height }: Grey, box: Box, scale: number): Float32Array {
  const side = Math.max(box.width, box.height) * scale;
  const left = (box.x + box.width / 2) * scale - side / 2;
  const top = (box.y + box.height / 2) * scale - side / 2;
  const out = new Float32Array(SIDE * SIDE);
  for (let y = 0; y < SIDE; y++) {
    const atY = clamp(top + ((y + 0.5) * side) / SIDE - 0.5, height - 1);
    const row = Math.floor(atY);
    const below = Math.min(row + 1, height - 1) * width;
    for (let x = 0; x < SIDE; x++) {
      const atX = clamp(left + ((x + 0.5) * side) / SIDE - 0.5, width - 1);
      const column = Math.floor(atX);
      const next = Math.min(column + 1, width - 1);
      const [partX, partY] = [atX - column, atY - row];
      const upper = data[row * width + column]! * (1 - partX) + data[row * width + next]! * partX;
      const lower = data[below + column]! * (1 - partX) + data[below + next]! * partX;
      out[y * SIDE + x] = upper * (1 - partY) + lower * partY;
    }
  }
  return out;
}

/** For each cell, how strong its edges are in each direction. */
function cellsOf(patch: Float32Array): Float32Array {
  const cells = new Float32Array(CELLS * CELLS * BINS);
  for (let y = 0; y < SIDE; y++) {
    const [above, below] = [Math.max(y - 1, 0) * SIDE, Math.min(y + 1, SIDE - 1) * SIDE];
    for (let x = 0; x < SIDE; x++) {
      const gx = patch[y * SIDE + Math.min(x + 1, SIDE - 1)]! - patch[y * SIDE + Math.max(x - 1, 0)]!;
      const gy = patch[below + x]! - patch[above + x]!;
      const angle = ((Math.atan2(gy, gx) / Math.PI + 1) % 1) * BINS - 0.5;
      const first = Math.floor(angle);
      const part = angle - first;
      const cell = ((y / CELL) | 0) * CELLS + ((x / CELL) | 0);
      const strength = Math.hypot(gx, gy);
      const low = cell * BINS + ((first + BINS) % BINS);
      const high = cell * BINS + ((first + 1) % BINS);
      cells[low] = cells[low]! + strength * (1 - part);
      cells[high] = cells[high]! + strength * part;
    }
  }
  return cells;
}

/** Cells in overlapping blocks of four, each block brought to the same strength. */
function blocksOf(cells: Float32Array): Float32Array {
  const length = 4 * BINS;
  const out = new Float32Array(BLOCKS * BLOCKS * length);
  for (let y = 0; y < BLOCKS; y++) {
    for (let x = 0; x < BLOCKS; x++) {
      const block = out.subarray((y * BLOCKS + x) * length, (y * BLOCKS + x + 1) * length);
      [0, 1, CELLS, CELLS + 1].forEach((offset, n) => {
        const from = (y * CELLS + x + offset) * BINS;
        block.set(cells.subarray(from, from + BINS), n * BINS);
      });
      const clipped = unit(block).map((value) => Math.min(value, 0.2));
      block.set(unit(clipped));
    }
  }
  return out;
}

function centred(values: Float32Array): Float32Array {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.map((value) => value - mean);
}

function unit(values: Float32Array): Float32Array {
  const length = Math.max(Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)), 1e-6);
  return values.map((value) => value / length);
}

function clamp(value: number, largest: number): number {
  return Math.min(Math.max(value, 0), largest);
}
