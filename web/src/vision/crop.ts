// Cutting faces out of a picture, framed as the network's training faces are: the same pixels as
// mien.faces.crop and mien.core.preprocess give in Python.

import type { Framing, NetworkInput } from "../readings";
import type { View } from "./view";
import { type Pixels, resizeArea, resizeLinear, roundHalfEven } from "./resize";
import { rotate } from "./rotate";

/** A rectangle in pixels of the whole picture; it may reach beyond it. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** From RGBA to one value, in 32768ths. */
type Weights = readonly [number, number, number];

// OpenCV's grey, and each colour by itself.
const GREY: readonly Weights[] = [[9798, 19235, 3735]];
const RGB: readonly Weights[] = [
  [32768, 0, 0],
  [0, 32768, 0],
  [0, 0, 32768],
];

/**
 * Cuts a face out as an upright square, as large and in the colours that the network reads. The
 * landmarks are x and y of eyes, nose and corners of the mouth, the person's right one of a pair
 * first.
 */
export function cropFace(
  picture: View,
  box: Box,
  landmarks: readonly number[],
  framing: Framing,
  { side: size, channels }: Pick<NetworkInput, "side" | "channels">,
): Pixels {
  const side = framing.scale * Math.max(box.width, box.height);
  const centreX = box.x + box.width * (0.5 + framing.offset_x);
  const centreY = box.y + box.height * (0.5 + framing.offset_y);
  const large = 2 * size;
  const around = roundHalfEven(large * Math.SQRT2);
  const degrees = tiltDegrees(landmarks);
  const planes = (channels === 1 ? GREY : RGB).map((weights) => {
    const circle = square(picture, centreX, centreY, (side * around) / large, around, weights);
    return resizeArea(rotate(circle, degrees, large), size, size);
  });
  return planes.length === 1 ? planes[0]! : interleaved(planes);
}

/** Scales faces to the network's input: float32 (N, side, side, channels). */
export function toNetworkInput(faces: readonly Pixels[], wanted: NetworkInput): Float32Array {
  const { side, channels, mean, scale } = wanted;
  const length = side * side * channels;
  const input = new Float32Array(faces.length * length);
  faces.forEach((face, n) => {
    for (let i = 0; i < length; i++) {
      const channel = i % channels;
      input[n * length + i] = (face.data[i]! - mean[channel]!) * scale[channel]!;
    }
  });
  return input;
}

/** A crop as FER2013 would have it: grey, and of its size. */
export function greyOf(crop: Pixels, size: number): Pixels {
  const { data, width, height, channels } = crop;
  let grey = crop;
  if (channels === 3) {
    const values = new Uint8ClampedArray(width * height);
    for (let i = 0; i < values.length; i++) values[i] = weighed(data, 3 * i, GREY[0]!);
    grey = { data: values, width, height, channels: 1 };
  }
  if (width === size) return grey;
  return width > size ? resizeArea(grey, size, size) : resizeLinear(grey, size, size);
}

function interleaved(planes: readonly Pixels[]): Pixels {
  const { width, height } = planes[0]!;
  const data = new Uint8ClampedArray(width * height * planes.length);
  planes.forEach((plane, channel) => {
    for (let i = 0; i < width * height; i++) data[i * planes.length + channel] = plane.data[i]!;
  });
  return { data, width, height, channels: planes.length };
}

function weighed(data: Pixels["data"], at: number, [red, green, blue]: Weights): number {
  return (data[at]! * red + data[at + 1]! * green + data[at + 2]! * blue + 16384) >> 15;
}

/** How far a face is turned clockwise, in degrees; in 32-bit floats, as Python's landmarks are. */
function tiltDegrees(landmarks: readonly number[]): number {
  const at = Float32Array.from(landmarks);
  const difference = (axis: 0 | 1) => Math.fround(at[2 + axis]! - at[axis]!);
  const down = (axis: 0 | 1) => {
    const mouth = Math.fround(at[6 + axis]! + at[8 + axis]!);
    const eyes = Math.fround(Math.fround(mouth - at[axis]!) - at[2 + axis]!);
    return Math.fround(eyes / 2);
  };
  const y = Math.fround(difference(1) - down(0));
  const x = Math.fround(difference(0) + down(1));
  return (Math.atan2(y, x) * 180) / Math.PI;
}

/** Returns one plane of the square of `side` pixels around a point, `size` pixels a side. */
function square(
  picture: View,
  centreX: number,
  centreY: number,
  side: number,
  size: number,
  weights: Weights,
): Pixels {
  const pixels = Math.max(roundHalfEven(side), 1);
  const left = roundHalfEven(centreX - pixels / 2);
  const top = roundHalfEven(centreY - pixels / 2);
  const plane = cut(picture, left, top, pixels, weights);
  if (pixels === size) return plane;
  return pixels > size ? resizeArea(plane, size, size) : resizeLinear(plane, size, size);
}

/** Returns a plane of the square at (left, top); outside the picture its border is repeated. */
function cut(picture: View, left: number, top: number, side: number, weights: Weights): Pixels {
  // Only the part that the square covers is read.
  const firstX = clamp(left, picture.width);
  const firstY = clamp(top, picture.height);
  const width = clamp(left + side - 1, picture.width) - firstX + 1;
  const height = clamp(top + side - 1, picture.height) - firstY + 1;
  const { data: from } = picture.read(firstX, firstY, width, height);
  const data = new Uint8ClampedArray(side * side);
  for (let y = 0; y < side; y++) {
    const row = clamp(top + y - firstY, height) * width;
    for (let x = 0; x < side; x++) {
      const at = (row + clamp(left + x - firstX, width)) * 4;
      data[y * side + x] = weighed(from, at, weights);
    }
  }
  return { data, width: side, height: side, channels: 1 };
}

function clamp(index: number, size: number): number {
  return Math.min(Math.max(index, 0), size - 1);
}
