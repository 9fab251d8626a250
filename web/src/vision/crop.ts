// Cutting faces out of a picture, framed as the network's training faces are: the same pixels as
// mien.faces.crop and mien.core.preprocess give in Python.

import { type Pixels, resizeArea, resizeLinear, roundHalfEven } from "./resize";

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

/** Cuts a face out as a grey square of FACE_SIZE pixels. The picture is RGBA. */
export function cropFace(image: Pixels, box: Box, framing: Framing): Pixels {
  const side = Math.max(roundHalfEven(framing.scale * Math.max(box.width, box.height)), 1);
  const left = roundHalfEven(box.x + box.width * (0.5 + framing.offset_x) - side / 2);
  const top = roundHalfEven(box.y + box.height * (0.5 + framing.offset_y) - side / 2);
  const grey = cutGrey(image, left, top, side);
  if (side === FACE_SIZE) return grey;
  const resize = side > FACE_SIZE ? resizeArea : resizeLinear;
  return resize(grey, FACE_SIZE, FACE_SIZE);
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
