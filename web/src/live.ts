// The loop from a playing camera to results: it takes the newest frame whenever there is room.

import type { Picture, Recogniser, Result } from "./types";

/** What a loop tells whoever runs it. */
export interface Listener {
  result(result: Result, latencyMs: number): void;
  failed(error: unknown): void;
}

/** Feeds the frames of a video element to a recogniser. */
export class Live {
  #recogniser: Recogniser | null = null;
  // Results from before the last start or stop do not count any more.
  #generation = 0;
  #underWay = 0;
  #frame = 0;

  constructor(
    private readonly video: HTMLVideoElement,
    /** Time in the record, in milliseconds. */
    private readonly nowMs: () => number,
    private readonly listener: Listener,
  ) {}

  start(recogniser: Recogniser): void {
    this.stop();
    this.#recogniser = recogniser;
    this.#next(this.#generation);
  }

  stop(): void {
    this.#recogniser = null;
    this.#generation++;
    this.#underWay = 0;
  }

  #next(generation: number): void {
    const take = (shownMs: number) => {
      if (generation !== this.#generation) return;
      this.#next(generation);
      void this.#take(shownMs, generation);
    };
    if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(take);
    else requestAnimationFrame(take);
  }

  async #take(shownMs: number, generation: number): Promise<void> {
    const recogniser = this.#recogniser;
    if (!recogniser || this.#underWay >= recogniser.depth || this.video.videoWidth === 0) return;
    const timestampMs = this.nowMs();
    this.#underWay++;
    try {
      const picture = await grab(this.video);
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

/** The picture that a player shows; a VideoFrame costs no copy. */
async function grab(video: HTMLVideoElement): Promise<Picture> {
  return typeof VideoFrame === "function" ? new VideoFrame(video) : createImageBitmap(video);
}
