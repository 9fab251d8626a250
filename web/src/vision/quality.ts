// What makes a face too poor, or its label too doubtful, to rely upon: mien.engine.gate in Python.

import { type HeadAngles, headAngles } from "./angles";
import { type Box, greyOf } from "./crop";
import type { QualityGate } from "../readings";
import type { Pixels } from "./resize";

// What is sharp depends on the size: FER2013's is what the gate was made for.
const FACE_SIZE = 48;

/** What can be measured of one face; see mien.engine.gate.Quality. */
export interface Quality {
  readonly sidePx: number;
  readonly inside: number;
  readonly brightness: number;
  readonly contrast: number;
  readonly sharpness: number;
  readonly likeness: number;
  readonly angles: HeadAngles;
}

export function measureQuality(
  crop: Pixels,
  likeness: number,
  { box, landmarks }: { readonly box: Box; readonly landmarks: readonly number[] },
  picture: { readonly width: number; readonly height: number },
): Quality {
  const shownWidth = Math.min(box.x + box.width, picture.width) - Math.max(box.x, 0);
  const shownHeight = Math.min(box.y + box.height, picture.height) - Math.max(box.y, 0);
  const boxArea = box.width * box.height;
  const grey = greyOf(crop, FACE_SIZE);
  const [brightness, contrast] = meanAndDeviation(grey.data);
  const [, edges] = meanAndDeviation(laplacian(grey));
  return {
    sidePx: Math.max(box.width, box.height),
    inside: boxArea ? (Math.max(shownWidth, 0) * Math.max(shownHeight, 0)) / boxArea : 0,
    brightness,
    contrast,
    sharpness: edges / Math.max(contrast, 1),
    likeness,
    angles: headAngles(landmarks),
  };
}

/**
 * The limits that a face of that quality, labelled with that confidence, missed, as the record has
 * them: `min_side_px 17.2 < 20; min_confidence 0.28 < 0.3`; null if it can be relied upon.
 */
export function missedLimits(gate: QualityGate, quality: Quality, confidence: number): string | null {
  const { yaw_degrees, pitch_degrees } = quality.angles;
  const values: Readonly<Record<keyof QualityGate, number>> = {
    min_side_px: quality.sidePx,
    min_inside: quality.inside,
    min_brightness: quality.brightness,
    max_brightness: quality.brightness,
    min_contrast: quality.contrast,
    min_sharpness: quality.sharpness,
    max_sharpness: quality.sharpness,
    // What was not measured misses no limit. The roll has none: crops are turned upright by it.
    max_yaw_degrees: Math.abs(yaw_degrees ?? 0),
    max_pitch_degrees: Math.abs(pitch_degrees ?? 0),
    min_likeness: quality.likeness,
    min_confidence: confidence,
  };
  const missed: string[] = [];
  for (const [name, value] of Object.entries(values) as [keyof QualityGate, number][]) {
    const isMost = name.startsWith("max_");
    if (isMost ? value > gate[name] : value < gate[name]) {
      missed.push(`${name} ${Number(value.toPrecision(3))} ${isMost ? ">" : "<"} ${gate[name]}`);
    }
  }
  return missed.join("; ") || null;
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
