// What the page's parts hand to one another.

import type { HeadAngles } from "./vision/angles";
import type { Quality } from "./vision/quality";

/** Where recognition happens. */
export type Mode = "device" | "server";

/** One face in one frame: a row of the record. */
export interface FaceRecord extends HeadAngles {
  readonly frame: number;
  readonly timestamp_ms: number;
  /** The person's number, from 1; 0 in a photo. */
  readonly track_id: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly detection_score: number;
  readonly emotion: string;
  readonly confidence: number;
  /** The probability of each label. */
  readonly shares: Readonly<Record<string, number>>;
  readonly uncertain: boolean;
  /** Why it is uncertain, such as `min_side_px 17.2 < 20`; null if it is not. */
  readonly missed_limits: string | null;
  /** False where the box was carried here from an earlier frame. */
  readonly detected: boolean;
  readonly smooth_ms: number;
  /** The temporal network that calmed it; null for smoothing. */
  readonly temporal_sha256: string | null;
  /** What the person showed so far, by that network: the probability of each label. */
  readonly whole: Readonly<Record<string, number>> | null;
  /** Name of the network's reading that the shares are. */
  readonly reading: string;
}

/** What was recognised in one picture or frame. */
export interface Result {
  /** Size of the picture that the boxes refer to. */
  readonly width: number;
  readonly height: number;
  readonly faces: readonly FaceRecord[];
}

/** A face that is judged but not yet part of a record. */
export interface JudgedFace {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly detection_score: number;
  readonly probabilities: Float32Array;
  /** What the network's heads read; null where it does not tell. */
  readonly features: Float32Array | null;
  readonly quality: Quality;
}

/** What the button beside a message does. */
export type Remedy =
  | "start-camera"
  | "open-file"
  | "use-device"
  | "use-server"
  | "retry"
  | "save-report"
  | "greet"
  | "new-record";

/** Something that the user should be told, in words meant for them. */
export class UserError extends Error {
  override readonly name = "UserError";

  constructor(
    message: string,
    /** What the user can do about it. */
    readonly advice = "",
    /** The buttons that do it, the best first. */
    readonly remedies: readonly Remedy[] = [],
  ) {
    super(message);
  }
}

/** A frame on its way to a recogniser, which closes it. */
export type Picture = ImageBitmap | VideoFrame;

/** Something that recognises faces, on this device or elsewhere. */
export interface Recogniser {
  /** How many frames may be under way at once. */
  readonly depth: number;
  /** What it runs on, in a few technical words. */
  readonly description: string;
  /** What works, but not as well as it might; in words for the user. */
  readonly warning: string;
  /** Whether it failed for good: another one has to be opened. */
  readonly isBroken: boolean;
  /** Begins a new video: numbers and averages start afresh. Frames that are live do not wait. */
  begin(isLive: boolean): Promise<void>;
  /** Recognises a frame of the session; null where it was passed over for a newer one. */
  recogniseFrame(picture: Picture, frame: number, timestampMs: number): Promise<Result | null>;
  /** Recognises a photo; tells how many of its parts were searched. */
  recognisePhoto(
    file: Blob,
    progress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<Result>;
  close(): void;
}

/** The width of a picture in pixels, whichever kind it is. */
export function sizeOf(picture: Picture): { width: number; height: number } {
  return "displayWidth" in picture
    ? { width: picture.displayWidth, height: picture.displayHeight }
    : { width: picture.width, height: picture.height };
}
