// How long a browser's player is waited for.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { canPlay, PlayerFailed, seek } from "../../src/sources/player";

class FakePlayer extends EventTarget {
  error: { message: string } | null = null;
  videoWidth = 640;
  currentTime = 0;
}

describe("a player", () => {
  let player: FakePlayer;
  let isHidden: boolean;
  const asked = () => player as unknown as HTMLVideoElement;
  const { signal } = new AbortController();
  const failureOf = (promise: Promise<unknown>) =>
    promise.then(() => null, (error: unknown) => error as Error);

  beforeEach(() => {
    vi.useFakeTimers();
    player = new FakePlayer();
    isHidden = false;
    vi.stubGlobal("document", {
      get hidden() {
        return isHidden;
      },
    });
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("plays what it shows, and not what it only lets hear", async () => {
    for (const width of [640, 0]) {
      player.videoWidth = width;
      const answer = canPlay(asked(), signal);
      player.dispatchEvent(new Event("loadeddata"));
      expect(await answer).toBe(width > 0);
    }
  });

  it("that says nothing cannot play it", async () => {
    const answer = canPlay(asked(), signal);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await answer).toBe(false);
  });

  it("may take its time while nobody looks", async () => {
    isHidden = true;
    const answer = canPlay(asked(), signal);
    await vi.advanceTimersByTimeAsync(600_000);
    player.dispatchEvent(new Event("loadeddata"));
    expect(await answer).toBe(true);
  });

  it("that failed before does not let a frame wait", async () => {
    player.error = { message: "no decoder" };
    const error = await failureOf(seek(asked(), 1, signal));
    expect(error).toBeInstanceOf(PlayerFailed);
    expect(error?.message).toBe("no decoder");
  });

  it("is not waited for where nobody wants the video any more", async () => {
    const reading = new AbortController();
    const waiting = [canPlay(asked(), reading.signal), seek(asked(), 1, reading.signal)];
    const failures = waiting.map(failureOf);
    reading.abort();
    for (const failure of failures) expect(await failure).toBe(reading.signal.reason);
  });
});
