// Sparse optical flow: where points of one frame are in the next (Lucas and Kanade 1981, on a pyramid
// as in Bouguet 2000), checked forth and back (Kalal et al. 2010). mien.faces.track has OpenCV's.

/** A grey picture, one byte a pixel. */
export interface Grey {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

const LEVELS = 4;
const RADIUS = 5;
const SIDE = 2 * RADIUS + 1;
const RIM = SIDE + 2;
const MOST_STEPS = 8;
const SMALL_STEP = 0.03;
// Below it, a point's surroundings are too flat to follow; in squared grey values a pixel.
const LEAST_TEXTURE = 1;
const MOST_RETURN_ERROR = 1;
const MOST_GREY_ERROR = 25;

/** The picture and its halves, the largest first. */
export function pyramidOf(grey: Grey): Grey[] {
  const levels = [grey];
  while (levels.length < LEVELS && Math.min(grey.width, grey.height) >= 2 * SIDE) {
    grey = halve(grey);
    levels.push(grey);
  }
  return levels;
}

/** Shrinks to half the size, without the last row or column of an odd number. */
export function halve({ data, width, height }: Grey): Grey {
  const [newWidth, newHeight] = [width >> 1, height >> 1];
  const out = new Uint8Array(newWidth * newHeight);
  for (let y = 0, at = 0; y < newHeight; y++) {
    let from = 2 * y * width;
    for (let x = 0; x < newWidth; x++, from += 2) {
      const sum = data[from]! + data[from + 1]! + data[from + width]! + data[from + width + 1]!;
      out[at++] = (sum + 2) >> 2;
    }
  }
  return { data: out, width: newWidth, height: newHeight };
}

/** Where points went: x and y alternate; `good` says which of them can be trusted. */
export interface Flow {
  readonly ends: Float32Array;
  readonly good: Uint8Array;
}

/** Follows points from one picture to the next; both are pyramids. */
export function follow(before: Grey[], after: Grey[], starts: Float32Array): Flow {
  const count = starts.length / 2;
  const ends = new Float32Array(starts.length);
  const good = new Uint8Array(count);
  for (let n = 0; n < count; n++) {
    const [x, y] = [starts[2 * n]!, starts[2 * n + 1]!];
    const there = followPoint(before, after, x, y);
    if (!there) continue;
    ends[2 * n] = there.x;
    ends[2 * n + 1] = there.y;
    if (there.greyError > MOST_GREY_ERROR) continue;
    const back = followPoint(after, before, there.x, there.y);
    if (back && Math.hypot(back.x - x, back.y - y) < MOST_RETURN_ERROR) good[n] = 1;
  }
  return { ends, good };
}

// Of the point that is being followed: its surroundings, and how they change across and down.
const patch = new Float32Array(RIM * RIM);
const across = new Float32Array(SIDE * SIDE);
const down = new Float32Array(SIDE * SIDE);

function followPoint(
  before: Grey[],
  after: Grey[],
  x: number,
  y: number,
): { x: number; y: number; greyError: number } | null {
  let [shiftX, shiftY] = [0, 0];
  let greyError = Infinity;
  for (let level = before.length - 1; level >= 0; level--) {
    const [from, to] = [before[level]!, after[level]!];
    const scale = 1 / (1 << level);
    // The middle of a pixel of one level is the corner of four of the next.
    const px = (x + 0.5) * scale - 0.5;
    const py = (y + 0.5) * scale - 0.5;
    if (px < 0 || py < 0 || px > from.width - 1 || py > from.height - 1) return null;
    samplePatch(from, px, py);
    const [xx, xy, yy] = gradients();
    const determinant = xx * yy - xy * xy;
    const texture = (xx + yy - Math.sqrt((xx - yy) ** 2 + 4 * xy * xy)) / (2 * SIDE * SIDE);
    if (texture < LEAST_TEXTURE) {
      if (level === 0) return null;
      [shiftX, shiftY] = [2 * shiftX, 2 * shiftY];
      continue;
    }
    for (let step = 0; step < MOST_STEPS; step++) {
      const [bx, by, error] = mismatch(to, px + shiftX, py + shiftY);
      const stepX = (yy * bx - xy * by) / determinant;
      const stepY = (xx * by - xy * bx) / determinant;
      shiftX += stepX;
      shiftY += stepY;
      greyError = error;
      if (stepX * stepX + stepY * stepY < SMALL_STEP * SMALL_STEP) break;
    }
    if (level > 0) [shiftX, shiftY] = [2 * shiftX, 2 * shiftY];
  }
  const [endX, endY] = [x + shiftX, y + shiftY];
  const { width, height } = after[0]!;
  if (!(endX >= 0 && endY >= 0 && endX <= width - 1 && endY <= height - 1)) return null;
  return { x: endX, y: endY, greyError };
}

function samplePatch(grey: Grey, x: number, y: number): void {
  const left = Math.floor(x) - RADIUS - 1;
  const top = Math.floor(y) - RADIUS - 1;
  const [a, b, c, d] = corners(x, y);
  const { data, width, height } = grey;
  for (let row = 0, at = 0; row < RIM; row++) {
    const upper = clamp(top + row, height) * width;
    const lower = clamp(top + row + 1, height) * width;
    for (let column = 0; column < RIM; column++) {
      const here = clamp(left + column, width);
      const next = clamp(left + column + 1, width);
      patch[at++] =
        a * data[upper + here]! + b * data[upper + next]! + c * data[lower + here]! + d * data[lower + next]!;
    }
  }
}

function gradients(): [number, number, number] {
  let [xx, xy, yy] = [0, 0, 0];
  for (let row = 0, at = 0; row < SIDE; row++) {
    let middle = (row + 1) * RIM + 1;
    for (let column = 0; column < SIDE; column++, at++, middle++) {
      const gx = (patch[middle + 1]! - patch[middle - 1]!) / 2;
      const gy = (patch[middle + RIM]! - patch[middle - RIM]!) / 2;
      across[at] = gx;
      down[at] = gy;
      xx += gx * gx;
      xy += gx * gy;
      yy += gy * gy;
    }
  }
  return [xx, xy, yy];
}

/** The mismatch with the patch, along the gradients, and the mean difference in grey values. */
function mismatch(grey: Grey, x: number, y: number): [number, number, number] {
  const left = Math.floor(x) - RADIUS;
  const top = Math.floor(y) - RADIUS;
  const [a, b, c, d] = corners(x, y);
  const { data, width, height } = grey;
  const inside = left >= 0 && top >= 0 && left + SIDE < width && top + SIDE < height;
  let [bx, by, error] = [0, 0, 0];
  for (let row = 0, at = 0; row < SIDE; row++) {
    const upper = (inside ? top + row : clamp(top + row, height)) * width;
    const lower = inside ? upper + width : clamp(top + row + 1, height) * width;
    let from = (row + 1) * RIM + 1;
    for (let column = 0; column < SIDE; column++, at++, from++) {
      const here = inside ? left + column : clamp(left + column, width);
      const next = inside ? here + 1 : clamp(left + column + 1, width);
      const value =
        a * data[upper + here]! + b * data[upper + next]! + c * data[lower + here]! + d * data[lower + next]!;
      const difference = patch[from]! - value;
      bx += difference * across[at]!;
      by += difference * down[at]!;
      error += Math.abs(difference);
    }
  }
  return [bx, by, error / (SIDE * SIDE)];
}

/** Weights of the four pixels around a position. */
function corners(x: number, y: number): [number, number, number, number] {
  const partX = x - Math.floor(x);
  const partY = y - Math.floor(y);
  return [(1 - partX) * (1 - partY), partX * (1 - partY), (1 - partX) * partY, partX * partY];
}

function clamp(index: number, size: number): number {
  return index < 0 ? 0 : index >= size ? size - 1 : index;
}
