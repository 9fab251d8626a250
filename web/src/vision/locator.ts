// Where the faces of a video are, without looking for them in every frame: the economy of
// mien.engine.stages.
//
// Faces are sought every 150 ms and carried by the picture's motion in between. While all of them
// are large, a small picture is enough, and a strip of the large one is searched now and then for
// small faces that come in.

import type { Networks } from "./networks";
import { keepsMargin, moved } from "./part";
import { FaceTracker, type TrackedFace } from "./tracker";
import { type FrameView, reducePart } from "./view";
import type { Detection } from "./yunet";

const DETECT_EVERY_MS = 150;
// On a slow device, seeking takes at most this part of the time.
const DETECTION_PART = 1 / 3;
// Frames are halved until their longer side is about this long: for motion, and for large faces.
const COARSE_SIDE = 320;
const CONFIRMING_SCORE = 0.55;
const SWEEP_EVERY_MS = 250;
const LARGE_PART = 1 / 12;
const STRIPS = 4;
const STRIP_OVERLAP = 1 / 8;
// A face is small up to this part of the longer side; larger ones need no large picture.
const LARGEST_IN_STRIP = 1 / 8;
// Timestamps of 30 frames a second are not exactly 33.333 ms apart.
const SLACK_MS = 1;

/** Whether waiting for the next frame would be too late. */
export function isDue(lastMs: number, everyMs: number, nowMs: number, gapMs: number): boolean {
  return nowMs + gapMs - lastMs > everyMs + SLACK_MS;
}

/** Finds and follows the faces of one video. */
export class FaceLocator {
  readonly #tracker = new FaceTracker();
  #previousMs = -Infinity;
  #detectedMs = -Infinity;
  #sweptMs = -Infinity;
  #detectEveryMs = DETECT_EVERY_MS;
  // How often in a row the small picture did not show a face that is there.
  #misses = 0;
  #strip = 0;

  /** `isLive`: time that is spent seeking is time in which frames are missed. */
  constructor(
    private readonly networks: Networks,
    private readonly isLive: boolean,
  ) {}

  /** Finds the faces of the next frame. */
  async locate(frame: FrameView, nowMs: number): Promise<TrackedFace[]> {
    const gapMs = Math.max(nowMs - this.#previousMs, 0);
    this.#previousMs = nowMs;
    const halvings = halvingsOf(frame);
    const isFollowed = this.#tracker.carry(frame.grey(halvings), 2 ** -halvings, nowMs);
    if (!isFollowed || isDue(this.#detectedMs, this.#detectEveryMs, nowMs, gapMs)) {
      this.#detectedMs = nowMs;
      await this.#detect(frame, nowMs, isFollowed && this.#isCoarseEnough(frame));
    } else if (nowMs - this.#sweptMs >= SWEEP_EVERY_MS && this.#isCoarseEnough(frame)) {
      this.#sweptMs = nowMs;
      this.#tracker.add(await this.#sweep(frame));
    }
    return this.#tracker.faces();
  }

  async #detect(
    frame: FrameView,
    nowMs: number,
    isCoarseEnough: boolean,
  ): Promise<void> {
    const { networks } = this;
    const { width, height } = frame;
    const startedMs = performance.now();
    if (isCoarseEnough && nowMs - this.#sweptMs < 2 * SWEEP_EVERY_MS) {
      const halvings = halvingsOf(frame);
      const small = { image: frame.halved(0, 0, width, height, halvings), scale: 2 ** -halvings };
      const found = await networks.detect(small, Math.min(CONFIRMING_SCORE, networks.scoreThreshold));
      this.#tracker.correct(found, networks.scoreThreshold);
      const missed = this.#tracker.faces().some(({ detected }) => !detected);
      this.#misses = missed ? this.#misses + 1 : 0;
    } else {
      this.#misses = 0;
      this.#sweptMs = nowMs;
      const whole = reducePart(frame, { left: 0, top: 0, width, height }, networks.longestSide);
      this.#tracker.correct(await networks.detect(whole));
    }
    const tookMs = performance.now() - startedMs;
    if (this.isLive) this.#detectEveryMs = Math.max(DETECT_EVERY_MS, tookMs / DETECTION_PART);
  }

  /** Whether there are faces, large ones all of them, and they are seen in the small picture. */
  #isCoarseEnough({ width, height }: FrameView): boolean {
    if (this.#misses > 1 || this.#tracker.expectsMore()) return false;
    const large = LARGE_PART * Math.max(width, height);
    const faces = this.#tracker.faces();
    return (
      faces.length > 0 && faces.every(({ face: { box } }) => Math.max(box.width, box.height) >= large)
    );
  }

  /** Searches the next strip for faces that lie within it as a whole. */
  async #sweep(frame: FrameView): Promise<Detection[]> {
    const { width, height } = frame;
    const longer = Math.max(width, height);
    const length = Math.round((longer * (1 + (STRIPS - 1) * STRIP_OVERLAP)) / STRIPS);
    const begin = Math.floor(((longer - length) * this.#strip) / (STRIPS - 1));
    this.#strip = (this.#strip + 1) % STRIPS;
    const isWide = width >= height;
    const strip = isWide
      ? { left: begin, top: 0, width: length, height }
      : { left: 0, top: begin, width, height: length };
    // The strip is seen as large as it would be within the whole picture.
    const scale = Math.min(this.networks.longestSide / longer, 1);
    const side = Math.round(Math.max(strip.width, strip.height) * scale);
    const found = await this.networks.detect(reducePart(frame, strip, side));
    const part = { begin, end: begin + length };
    return found
      .filter(({ box }) => Math.max(box.width, box.height) <= LARGEST_IN_STRIP * longer)
      .map((face) => moved(face, strip.left, strip.top))
      .filter(({ box: { x, y, width: w, height: h } }) =>
        keepsMargin(isWide ? { begin: x, end: x + w } : { begin: y, end: y + h }, part, longer),
      );
  }
}

function halvingsOf({ width, height }: FrameView): number {
  return Math.max(Math.round(Math.log2(Math.max(width, height) / COARSE_SIDE)), 0);
}
