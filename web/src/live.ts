// The loop from a playing video to results: it takes the newest frame whenever there is room.

import type { Recogniser, Result } from "./types";

/** What a loop tells whoever runs it. */
export interface Listener {
  result(result: Result, latencyMs: number): void;
  /** A new frame of the source is on the screen. */
  frameShown(nowMs: number): void;
  failed(error: unknown): void;
}

/** Feeds the frames of a video element to a recogniser while it plays. */
export class Live {
  #recogniser: Recogniser | null = null;
  // Results of an earlier recogniser or source do not count any more.
  #generation = 0;
  #underWay = 0;
  #frame = 0;
  #startedMs = 0;
  #callback = 0;
  paused = false;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly listener: Listener,
  ) {}

  /** Time in the source, in milliseconds. */
  get nowMs(): number {
    return this.video.srcObject ? performance.now() - this.#startedMs : this.video.currentTime * 1000;
  }

  /** Begins with a new source, which plays already. */
  start(recogniser: Recogniser): void {
    this.stop();
    this.#frame = 0;
    this.#startedMs = performance.now();
    this.use(recogniser);
    this.#next();
  }

  /** Goes on with another recogniser. */
  use(recogniser: Recogniser | null): void {
    this.#recogniser = recogniser;
    this.#generation++;
    this.#underWay = 0;
  }

  stop(): void {
    this.video.cancelVideoFrameCallback(this.#callback);
    this.use(null);
  }

  #next(): void {
    this.#callback = this.video.requestVideoFrameCallback((nowMs) => {
      this.#next();
      if (!this.paused) this.listener.frameShown(this.nowMs);
      void this.#take(nowMs);
    });
  }

  async #take(shownMs: number): Promise<void> {
    const recogniser = this.#recogniser;
    if (!recogniser || this.paused || this.#underWay >= recogniser.depth) return;
    const generation = this.#generation;
    const timestampMs = this.nowMs;
    this.#underWay++;
    try {
      const picture = await createImageBitmap(this.video);
      const result = await recogniser.recogniseFrame(picture, this.#frame++, timestampMs);
      if (result && generation === this.#generation) {
        this.listener.result(result, performance.now() - shownMs);
      }
    } catch (error) {
      if (generation === this.#generation) this.listener.failed(error);
    } finally {
      if (generation === this.#generation) this.#underWay--;
    }
  }
}
