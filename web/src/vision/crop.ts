// Cutting faces out of a picture, framed as the network's training faces are: the same pixels as
// mien.faces.crop and mien.core.preprocess give in Python.

import { type Pixels, resizeArea, resizeLinear, roundHalfEven } from "./resize";
import { rotate } from "./rotate";

/** Side of the network's input, in pixels. */
export const FACE_SIZE = 48;

/** A rectangle in pixels of the whole picture; it may reach beyond it. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** From a detector's box to the square that FER2013 would have cut out. */
export interface Framing {
  readonly scale: number;
  readonly offset_x: number;
  readonly offset_y: number;
}

const LARGE = 2 * FACE_SIZE;
const AROUND = roundHalfEven(LARGE * Math.SQRT2);

/**
 * Cuts a face out as an upright grey square of FACE_SIZE pixels. The picture is RGBA; the landmarks
 * are x and y of eyes, nose and corners of the mouth, the person's right one of a pair first.
 */
export function cropFace(
  image: Pixels,
  box: Box,
  landmarks: readonly number[],
  framing: Framing,
): Pixels {
  const side = framing.scale * Math.max(box.width, box.height);
  const centreX = box.x + box.width * (0.5 + framing.offset_x);
  const centreY = box.y + box.height * (0.5 + framing.offset_y);
  const circle = greySquare(image, centreX, centreY, (side * AROUND) / LARGE, AROUND);
  return resizeArea(rotate(circle, tiltDegrees(landmarks), LARGE), FACE_SIZE, FACE_SIZE);
}

/** Scales grey faces to the network's input: float32 (N, 48, 48, 1) in [0, 1]. */
export function toNetworkInput(faces: readonly Pixels[]): Float32Array {
  const length = FACE_SIZE * FACE_SIZE;
  const input = new Float32Array(faces.length * length);
  faces.forEach((face, n) => {
    for (let i = 0; i < length; i++) input[n * length + i] = face.data[i]! / 255;
  });
  return input;
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

/** Returns the square of `side` pixels around a point, grey, `size` pixels a side. */
function greySquare(
  image: Pixels,
  centreX: number,
  centreY: number,
  side: number,
  size: number,
): Pixels {
  const pixels = Math.max(roundHalfEven(side), 1);
  const left = roundHalfEven(centreX - pixels / 2);
  const top = roundHalfEven(centreY - pixels / 2);
  const grey = cutGrey(image, left, top, pixels);
  if (pixels === size) return grey;
  return pixels > size ? resizeArea(grey, size, size) : resizeLinear(grey, size, size);
}

/** Returns the square at (left, top) in grey; outside the picture its border is repeated. */
function cutGrey(image: Pixels, left: number, top: number, side: number): Pixels {
  const { data: from, width, height } = image;
  const data = new Uint8ClampedArray(side * side);
  for (let y = 0; y < side; y++) {
    const row = Math.min(Math.max(top + y, 0), height - 1) * width;
    for (let x = 0; x < side; x++) {
      const at = (row + Math.min(Math.max(left + x, 0), width - 1)) * 4;
      // OpenCV's weights, in 32768ths.
      const sum = from[at]! * 9798 + from[at + 1]! * 19235 + from[at + 2]! * 3735;
      data[y * side + x] = (sum + 16384) >> 15;
    }
  }
  return { data, width: side, height: side, channels: 1 };
}
