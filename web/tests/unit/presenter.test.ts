// What is to be seen of the state, on a page that is made up.

import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Engines } from "../../src/engines";
import { Page } from "../../src/page";
import { ServerRecogniser } from "../../src/recognisers/server";
import type { FaceRecord } from "../../src/types";
import { Overlay } from "../../src/view/overlay";
import { Presenter } from "../../src/view/presenter";
import { Screen } from "../../src/view/screen";
import { FakeElement, stubDocument } from "./fake_document";

const LABELS = ["happy", "sad"];
const ELSEWHERE = { pickFiles() {}, saveReport() {}, greet() {} };

/** A video of three seconds: in the first, person 1 is on the left; in the last, person 2 on the right. */
const FACES = Array.from({ length: 90 }, (_, frame) => {
  const [track_id, x, emotion] = frame < 30 ? [1, 0, "happy"] : [2, 400, "sad"];
  const shares = Object.fromEntries(LABELS.map((label) => [label, label === emotion ? 0.9 : 0.1]));
  return {
    ...{ frame, timestamp_ms: (frame * 1000) / 30, track_id, x, y: 0, width: 80, height: 80 },
    ...{ emotion, confidence: 0.9, shares, uncertain: false, missed_limits: null },
  } as unknown as FaceRecord;
}).filter(({ frame }) => frame < 30 || frame >= 60);

class FakePlayer extends FakeElement {
  videoWidth = 640;
  videoHeight = 360;
  duration = 3;
  currentTime = 0;
  paused = true;
  error = null;
  srcObject = null;

  set src(_: string) {
    queueMicrotask(() => this.dispatchEvent(new Event("loadeddata")));
  }

  load() {}
}

let byId: (id: string) => FakeElement;

beforeEach(() => {
  vi.useFakeTimers();
  byId = stubDocument();
  vi.stubGlobal("MediaStream", class {});
  vi.stubGlobal("navigator", {});
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A page on whose stage is a video that the server has read. */
async function withVideo(hasServer = true) {
  const player = new FakePlayer();
  const screen = new Screen(
    player as unknown as HTMLVideoElement,
    byId("photo") as unknown as HTMLCanvasElement,
    new Overlay(byId("overlay") as unknown as HTMLCanvasElement),
  );
  const recogniser: object = Object.create(ServerRecogniser.prototype, {
    recogniseVideo: { value: async () => ({ faces: FACES, frames: 90, warning: null }) },
    disconnect: { value: () => {} },
    description: { value: "" },
    warning: { value: "" },
  });
  const engines = { open: async () => recogniser, labels: async () => LABELS, close: () => {} };
  const changed = () => presenter.invalidate();
  const page = new Page(engines as unknown as Engines, screen, changed, ELSEWHERE, "server");
  const presenter: Presenter = new Presenter(page, screen, hasServer);
  page.dispatch({ type: "open-files", files: [new File(["x"], "a.mp4", { type: "video/mp4" })] });
  await vi.advanceTimersByTimeAsync(5000);
  return { player, page };
}

describe("a video that is paused", () => {
  const seek = async (player: FakePlayer, time: number, forMs = 5000) => {
    player.currentTime = time;
    player.dispatchEvent(new Event("seeked"));
    await vi.advanceTimersByTimeAsync(forMs);
  };
  const shown = () => ({
    boxes: byId("overlay").drawing.boxes,
    verdict: byId("verdict").textContent,
    clock: byId("clock").textContent,
    cursor: byId("chart").drawing.barX! / byId("chart").clientWidth,
  });

  it("is followed to every time that its player is set to", async () => {
    const { player } = await withVideo();
    const first = { boxes: [{ x: 0, opacity: 1 }], verdict: "Happy 90%", clock: "0:00 / 0:03", cursor: 0 };
    expect(shown()).toEqual(first);
    await seek(player, 2.4);
    expect(shown()).toEqual({
      ...{ boxes: [{ x: 400, opacity: 1 }], verdict: "Sad 90%", clock: "0:02 / 0:03" },
      cursor: expect.closeTo(0.8) as number,
    });
    expect(byId("scrubber").value).toBe("2.4");
    await seek(player, 1.5);
    expect(shown()).toMatchObject({ boxes: [], verdict: "No face", cursor: 0.5 });
  });

  it("shows the faces of one time only, however fast its player is set to several", async () => {
    const { player } = await withVideo();
    for (const time of [1.5, 0.5, 2.5, 0.5, 1.5]) await seek(player, time, 16);
    await seek(player, 2.4);
    expect(shown()).toMatchObject({ boxes: [{ x: 400, opacity: 1 }], verdict: "Sad 90%" });
    // Of the same person, too.
    await seek(player, 2.5, 100);
    await seek(player, 2.7, 30_000);
    expect(shown().cursor).toBeCloseTo(0.9);
    // Nothing is drawn for nothing.
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("what leaves this device", () => {
  const html = readFileSync(new URL("../../index.html", import.meta.url), "utf8");
  const [, note] = /id="report-note">(.*)</.exec(html)!;

  it.each([true, false])("is said before it does (with a server: %s)", async (hasServer) => {
    const { page } = await withVideo(hasServer);
    expect(byId("badge").textContent).toContain("are sent to this server");
    page.dispatch({ type: "set-mode", mode: "device" });
    await vi.advanceTimersByTimeAsync(5000);
    // The table of a report does.
    expect(byId("badge").textContent).toBe("No picture is uploaded.");
    expect(note).toContain("the table, with the files' names, is sent there");
    expect(byId("report-note").hidden).toBe(!hasServer);
    expect(byId("save-report").hidden).toBe(!hasServer);
  });
});
