// What the page's parts hand to one another, and what the API answers with.

import type { Framing } from "./vision/crop";
import type { Quality, QualityGate } from "./vision/quality";

export const EMOTIONS = [
  "angry",
  "disgust",
  "fear",
  "happy",
  "sad",
  "surprise",
  "neutral",
] as const;

export type Emotion = (typeof EMOTIONS)[number];

/** One face in one frame: the columns of every record of mien, in their order. */
export interface FaceRecord extends Record<Emotion, number> {
  frame: number;
  timestamp_ms: number;
  track_id: number;
  x: number;
  y: number;
  width: number;
  height: number;
  detection_score: number;
  emotion: Emotion;
  confidence: number;
  uncertain: boolean;
  /** Always true here: the page seeks faces in every frame that it recognises. */
  detected: boolean;
  smooth_ms: number;
}

/** The columns of the table, in the order of mien's records. */
export const COLUMNS = [
  "frame",
  "timestamp_ms",
  "track_id",
  "x",
  "y",
  "width",
  "height",
  "detection_score",
  "emotion",
  "confidence",
  ...EMOTIONS,
  "uncertain",
  "detected",
  "smooth_ms",
] as const satisfies readonly (keyof FaceRecord)[];

/** What was recognised in one picture or frame. */
export interface Result {
  /** Size of the picture that the boxes refer to. */
  readonly width: number;
  readonly height: number;
  readonly faces: readonly FaceRecord[];
}

/** `GET /v1/model`: the parts that the page uses. */
export interface ModelInfo {
  readonly sha256: string;
  readonly experiment: string;
  readonly temperature: number;
  readonly url: string;
  readonly server_detector: string;
  readonly page_detector: {
    readonly score_threshold: number;
    readonly longest_side: number;
    readonly framing: Framing;
    readonly url: string;
  } | null;
  readonly smooth_ms: number;
  readonly quality_gate: QualityGate;
}

/** A face that is judged but not yet part of a record. */
export interface JudgedFace {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly detection_score: number;
  readonly probabilities: Float32Array;
  readonly quality: Quality;
}

/** Something that the user should be told, in words meant for them. */
export class UserError extends Error {
  override readonly name = "UserError";

  constructor(
    message: string,
    /** What the user can do about it. */
    readonly advice = "",
  ) {
    super(message);
  }
}

/** Something that recognises faces, on this device or elsewhere. */
export interface Recogniser {
  /** How many frames may be under way at once. */
  readonly depth: number;
  /** What it runs on, in a few words. */
  readonly description: string;
  /** Begins a new live session: numbers and averages start afresh. */
  begin(): Promise<void>;
  /** Recognises a frame of the session; null where it was passed over for a newer one. */
  recogniseFrame(picture: ImageBitmap, frame: number, timestampMs: number): Promise<Result | null>;
  /** Recognises a photo. */
  recognisePhoto(file: Blob, picture: ImageBitmap): Promise<Result>;
  close(): void;
}
