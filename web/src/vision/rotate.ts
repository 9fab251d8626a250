// OpenCV's warpAffine for a rotation of a grey square, to the pixel.
//
// Ported from OpenCV 4's imgwarp.cpp: positions are rounded to 32nds of a pixel; outside, the border
// is repeated.

import { type Pixels, roundHalfEven } from "./resize";

const POSITION_SCALE = 1024;

/** Turns a grey square counter-clockwise around its middle and cuts `size` pixels a side out. */
export function rotate(image: Pixels, degrees: number, size: number): Pixels {
  const [m0, m1, m2, m3, m4, m5] = inverse(rotation(image.width, degrees, size));
  const data = new Uint8ClampedArray(size * size);
  for (let y = 0; y < size; y++) {
    const startX = roundHalfEven((m1 * y + m2) * POSITION_SCALE) + 16;
    const startY = roundHalfEven((m4 * y + m5) * POSITION_SCALE) + 16;
    for (let x = 0; x < size; x++) {
      const atX = (startX + roundHalfEven(m0 * x * POSITION_SCALE)) >> 5;
      const atY = (startY + roundHalfEven(m3 * x * POSITION_SCALE)) >> 5;
      data[y * size + x] = interpolate(image, atX, atY);
    }
  }
  return { data, width: size, height: size, channels: 1 };
}

type Affine = [number, number, number, number, number, number];

/** From the source's coordinates to those of the result, as getRotationMatrix2D gives it. */
function rotation(width: number, degrees: number, size: number): Affine {
  const middle = (width - 1) / 2;
  const margin = (width - size) / 2;
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const shiftX = (1 - cos) * middle - sin * middle - margin;
  const shiftY = sin * middle + (1 - cos) * middle - margin;
  return [cos, sin, shiftX, -sin, cos, shiftY];
}

function inverse([a, b, c, d, e, f]: Affine): Affine {
  const factor = 1 / (a * e - b * d);
  const [m0, m1, m3, m4] = [e * factor, b * -factor, d * -factor, a * factor];
  return [m0, m1, -m0 * c - m1 * f, m3, m4, -m3 * c - m4 * f];
}

/** The grey value at a position in 32nds of a pixel. */
function interpolate({ data, width, height }: Pixels, atX: number, atY: number): number {
  const left = clamp(atX >> 5, width);
  const right = clamp((atX >> 5) + 1, width);
  const upper = clamp(atY >> 5, height) * width;
  const lower = clamp((atY >> 5) + 1, height) * width;
  const partX = (atX & 31) / 32;
  const partY = (atY & 31) / 32;
  const sum =
    data[upper + left]! * (1 - partX) * (1 - partY) +
    data[upper + right]! * partX * (1 - partY) +
    data[lower + left]! * (1 - partX) * partY +
    data[lower + right]! * partX * partY;
  // Weights are whole 1024ths, so that the sum is exact.
  return Math.floor(sum + 0.5);
}

function clamp(index: number, size: number): number {
  return Math.min(Math.max(index, 0), size - 1);
}
