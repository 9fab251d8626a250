// Who keeps a number when the camera's recognition starts anew: the page, with a camera that is made up.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Engines } from "../../src/engines";
import { Page } from "../../src/page";
import { ServerRecogniser } from "../../src/recognisers/server";
import type { FaceRecord, Recogniser, Result } from "../../src/types";
import type { Screen } from "../../src/view/screen";

class Stream {
  getVideoTracks = () => [{ getSettings: () => ({}), onended: null }];
  getTracks = () => [{ stop() {} }];
}

/** Somebody whom the recogniser calls 1 each time it begins. */
const RECOGNISER = {
  ...{ depth: 1, description: "", warning: "" },
  begin: async () => {},
  recogniseFrame: async (_picture: unknown, frame: number, timestamp_ms: number) => {
    const face = { frame, timestamp_ms, track_id: 1, x: 0, y: 0, width: 80, height: 80 };
    return { width: 640, height: 480, faces: [face as FaceRecord] };
  },
} as unknown as Recogniser;

const settled = () => new Promise((resolve) => setTimeout(resolve));

/** A page, and the number that it gives to who is in the next frame. */
function withCamera() {
  let take: FrameRequestCallback = () => {};
  let shown: number[] = [];
  const nothing = () => {};
  const video = {
    ...{ srcObject: null, src: "", videoWidth: 640, play: async () => {}, pause: nothing },
    requestVideoFrameCallback: (callback: FrameRequestCallback) => (take = callback),
  };
  const screen = {
    ...{ video, clear: nothing, showVideo: nothing, setMirrored: nothing },
    showLive: ({ faces }: Result) => (shown = faces.map((face) => face.track_id)),
  };
  const engines = { open: async () => RECOGNISER, labels: async () => ["happy"], close: nothing };
  const page = new Page(
    engines as unknown as Engines,
    screen as unknown as Screen,
    nothing,
    nothing,
    "device",
  );
  const numbers = async () => {
    await settled();
    shown = [];
    take(0);
    await settled();
    return shown;
  };
  return { page, numbers };
}

describe("the number of a person", () => {
  beforeEach(() => {
    vi.stubGlobal("window", { isSecureContext: true });
    vi.stubGlobal("navigator", { mediaDevices: { getUserMedia: async () => new Stream() } });
    vi.stubGlobal("MediaStream", Stream);
    vi.stubGlobal("VideoFrame", class {});
  });
  afterEach(() => vi.unstubAllGlobals());

  it("stays where the same camera goes on", async () => {
    const { page, numbers } = withCamera();
    page.dispatch({ type: "start-camera" });
    expect(await numbers()).toEqual([1]);
    page.dispatch({ type: "pause" });
    expect(await numbers()).toEqual([]);
    page.dispatch({ type: "resume" });
    expect(await numbers()).toEqual([1]);
    page.dispatch({ type: "tab-hidden" });
    page.dispatch({ type: "tab-shown" });
    expect(await numbers()).toEqual([1]);
    page.dispatch({ type: "set-mode", mode: "server" });
    expect(await numbers()).toEqual([1]);
    page.dispatch({ type: "engine-lost", wish: page.state.engineWish });
    expect(await numbers()).toEqual([]);
    page.dispatch({ type: "retry-due", wish: page.state.engineWish });
    expect(await numbers()).toEqual([1]);
  });

  it("is another after a stop, and for another camera", async () => {
    const { page, numbers } = withCamera();
    page.dispatch({ type: "start-camera" });
    expect(await numbers()).toEqual([1]);
    page.dispatch({ type: "stop" });
    page.dispatch({ type: "start-camera" });
    expect(await numbers()).toEqual([2]);
    page.camera = { deviceId: "", facing: "environment" };
    page.dispatch({ type: "start-camera" });
    expect(await numbers()).toEqual([3]);
    page.dispatch({ type: "pause" });
    page.dispatch({ type: "resume" });
    expect(await numbers()).toEqual([3]);
  });
});

/** A page whose server's answers about a video are given one after the other. */
function withVideo(answers: ((signal: AbortSignal) => Promise<unknown>)[]) {
  const nothing = () => {};
  const video = {
    ...{ srcObject: null, src: "", videoWidth: 640, duration: 1, hidden: false },
    ...{ pause: nothing, load: nothing, removeAttribute: nothing },
    addEventListener: (event: string, call: () => void) => event === "loadeddata" && call(),
  };
  const screen = { video, clear: nothing, showVideo: nothing, setMirrored: nothing };
  const recogniser = Object.create(ServerRecogniser.prototype) as ServerRecogniser;
  Object.defineProperties(recogniser, {
    recogniseVideo: {
      value: (_file: File, _progress: unknown, signal: AbortSignal) => answers.shift()!(signal),
    },
    disconnect: { value: nothing },
    description: { value: "" },
    warning: { value: "" },
  });
  const engines = { open: async () => recogniser, labels: async () => ["happy"], close: nothing };
  return new Page(
    engines as unknown as Engines,
    screen as unknown as Screen,
    nothing,
    nothing,
    "server",
  );
}

describe("a video that is read once more", () => {
  const face = { frame: 0, timestamp_ms: 0, track_id: 1, x: 0, y: 0, width: 80, height: 80 };
  const read = (rows: number) => async () => ({ faces: Array<object>(rows).fill(face), frames: 9 });
  const failing = async () => Promise.reject(new Error("no connection"));
  const hanging = (signal: AbortSignal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const sources = (page: Page) =>
    page.record.sources.map(({ name, rows }) => `${name}: ${rows.length}`);
  const open = (page: Page) => {
    const file = new File(["x"], "a.mp4", { type: "video/mp4" });
    page.dispatch({ type: "open-files", files: [file] });
  };

  beforeEach(() => {
    vi.stubGlobal("MediaStream", Stream);
    vi.stubGlobal("navigator", {});
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it("is in the record once, whenever one stops", async () => {
    const page = withVideo([read(2), hanging]);
    open(page);
    await settled();
    page.dispatch({ type: "set-reading" });
    await settled();
    page.dispatch({ type: "stop" });
    await settled();
    expect(sources(page)).toEqual(["a.mp4: 2"]);
  });

  it("keeps its name though the first reading was broken off", async () => {
    const page = withVideo([hanging, read(3)]);
    open(page);
    await settled();
    page.dispatch({ type: "set-reading" });
    await settled();
    expect(sources(page)).toEqual(["a.mp4: 3"]);
  });

  it("keeps its rows until there are new ones", async () => {
    const page = withVideo([read(2), failing, read(3)]);
    open(page);
    await settled();
    expect(sources(page)).toEqual(["a.mp4: 2"]);
    vi.spyOn(console, "error").mockImplementation(() => {});
    page.dispatch({ type: "set-reading" });
    await settled();
    expect(page.state.problem?.text).toContain("no connection");
    expect(sources(page)).toEqual(["a.mp4: 2"]);
    page.dispatch({ type: "remedy", remedy: "retry" });
    await settled();
    expect(sources(page)).toEqual(["a.mp4: 3"]);
  });
});
