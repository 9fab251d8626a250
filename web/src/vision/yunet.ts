// YuNet (Wu, Peng and Yu 2023), run as mien.faces.yunet runs it.

import type { Box } from "./crop";
import type { Outputs } from "../readings";
import type { Pixels } from "./resize";

/** A face that the detector found. */
export interface Detection {
  readonly box: Box;
  /** The detector's confidence, 0 to 1. */
  readonly score: number;
  /** Five points of x and y: eyes, nose, corners of the mouth. */
  readonly landmarks: readonly number[];
}

/** A picture made ready for the network: float32 (1, 3, height, width), BGR, 0 to 255. */
export interface NetworkPicture {
  readonly data: Float32Array;
  readonly width: number;
  readonly height: number;
  /** New size through old, at most 1. */
  readonly scale: number;
}

const STRIDES = [8, 16, 32];
// OpenCV's defaults.
const OVERLAP = 0.3;
const MOST_CANDIDATES = 5000;

/** Pads a reduced picture with black to whole blocks of 32 pixels. */
export function prepare(reduced: Pixels, scale: number): NetworkPicture {
  const width = Math.ceil(reduced.width / 32) * 32;
  const height = Math.ceil(reduced.height / 32) * 32;
  const data = new Float32Array(3 * width * height);
  const plane = width * height;
  for (let y = 0; y < reduced.height; y++) {
    let from = y * reduced.width * 4;
    let at = y * width;
    for (let x = 0; x < reduced.width; x++, from += 4, at++) {
      data[at] = reduced.data[from + 2]!;
      data[at + plane] = reduced.data[from + 1]!;
      data[at + 2 * plane] = reduced.data[from]!;
    }
  }
  return { data, width, height, scale };
}

/** Reads the faces from the network's outputs, the largest first. */
export function decode(
  outputs: Outputs,
  picture: NetworkPicture,
  scoreThreshold: number,
): Detection[] {
  const found: Detection[] = [];
  for (const stride of STRIDES) {
    const cls = outputs[`cls_${stride}`]!.data as Float32Array;
    const obj = outputs[`obj_${stride}`]!.data as Float32Array;
    const columns = picture.width / stride;
    for (let i = 0; i < cls.length; i++) {
      const score = Math.sqrt(clamp01(cls[i]!) * clamp01(obj[i]!));
      if (score < scoreThreshold) continue;
      found.push(decodeOne(outputs, stride, i, columns, score, picture.scale));
    }
  }
  found.sort((a, b) => b.score - a.score);
  const kept = suppress(found.slice(0, MOST_CANDIDATES));
  return kept.sort((a, b) => b.box.width * b.box.height - a.box.width * a.box.height);
}

function decodeOne(
  outputs: Outputs,
  stride: number,
  index: number,
  columns: number,
  score: number,
  scale: number,
): Detection {
  const bbox = outputs[`bbox_${stride}`]!.data as Float32Array;
  const kps = outputs[`kps_${stride}`]!.data as Float32Array;
  const column = index % columns;
  const row = Math.floor(index / columns);
  const width = Math.exp(bbox[4 * index + 2]!) * stride;
  const height = Math.exp(bbox[4 * index + 3]!) * stride;
  const landmarks: number[] = [];
  for (let k = 0; k < 5; k++) {
    landmarks.push(((kps[10 * index + 2 * k]! + column) * stride) / scale);
    landmarks.push(((kps[10 * index + 2 * k + 1]! + row) * stride) / scale);
  }
  return {
    box: {
      x: ((column + bbox[4 * index]!) * stride - width / 2) / scale,
      y: ((row + bbox[4 * index + 1]!) * stride - height / 2) / scale,
      width: width / scale,
      height: height / scale,
    },
    score,
    landmarks,
  };
}

/** Of boxes that overlap, keeps the one with the best score; they come best first. */
function suppress(detections: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const one of detections) {
    if (kept.every((other) => overlap(one.box, other.box) <= OVERLAP)) kept.push(one);
  }
  return kept;
}

/** Intersection over union, 0 to 1. */
export function overlap(a: Box, b: Box): number {
  const shared = sharedArea(a, b);
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/** The area that two boxes share. */
export function sharedArea(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return width > 0 && height > 0 ? width * height : 0;
}

function clamp01(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}
