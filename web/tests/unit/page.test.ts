// What the page does with cameras and videos that are made up.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Engines } from "../../src/engines";
import { Page } from "../../src/page";
import { ConnectionLost, ServerRecogniser } from "../../src/recognisers/server";
import type { FaceRecord, Recogniser, Result } from "../../src/types";
import type { Screen } from "../../src/view/screen";

const ELSEWHERE = { pickFiles() {}, saveReport() {}, greet() {} };

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

/** The attempt to connect once more comes after the test, which must leave it nothing to do. */
const leave = (page: Page) => page.dispatch({ type: "stop" });

/** A page, and the number that it gives to who is in the next frame. */
function withCamera(recogniser = RECOGNISER) {
  let take: FrameRequestCallback = () => {};
  let shown: number[] = [];
  const nothing = () => {};
  const video = {
    ...{ srcObject: null, src: "", videoWidth: 640, play: async () => {}, pause: nothing },
    requestVideoFrameCallback: (callback: FrameRequestCallback) => (take = callback),
  };
  const screen = {
    ...{ video, clear: nothing, showVideo: nothing, expectStill: nothing, setMirrored: nothing },
    showLive: ({ faces }: Result) => (shown = faces.map((face) => face.track_id)),
  };
  const engines = { open: async () => recogniser, labels: async () => ["happy"], close: nothing };
  const page = new Page(
    engines as unknown as Engines,
    screen as unknown as Screen,
    nothing,
    ELSEWHERE,
    "device",
  );
  const numbers = async () => {
    await settled();
    shown = [];
    take(0);
    await settled();
    return shown;
  };
  /** Sets what recognises once it is opened again. */
  const next = (another: Recogniser) => void (recogniser = another);
  return { page, numbers, next };
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
    leave(page);
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

describe("a camera", () => {
  const refused = (name: string) => Promise.reject(new DOMException("", name));
  let asked: MediaTrackConstraints[];
  let open: (video: MediaTrackConstraints) => Promise<unknown>;

  beforeEach(() => {
    asked = [];
    const getUserMedia = ({ video }: { video: MediaTrackConstraints }) => {
      asked.push(video);
      return open(video);
    };
    vi.stubGlobal("window", { isSecureContext: true });
    vi.stubGlobal("navigator", { mediaDevices: { getUserMedia } });
    vi.stubGlobal("MediaStream", Stream);
    vi.stubGlobal("VideoFrame", class {});
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it.each(["OverconstrainedError", "NotFoundError"])(
    "that was chosen and is gone gives way to another, and is forgotten (%s)",
    async (name) => {
      open = async ({ deviceId }) => (deviceId ? refused(name) : new Stream());
      const { page, numbers } = withCamera();
      page.camera = { deviceId: "gone", facing: "user" };
      page.dispatch({ type: "start-camera" });
      expect(await numbers()).toEqual([1]);
      expect(asked.map(({ deviceId }) => deviceId)).toEqual([{ exact: "gone" }, undefined]);
      expect(page.camera).toEqual({ deviceId: "", facing: "user" });
      expect(page.state.problem).toBeNull();
    },
  );

  it("that there is none of is asked for once", async () => {
    open = () => refused("NotFoundError");
    const { page } = withCamera();
    page.dispatch({ type: "start-camera" });
    await settled();
    expect(page.state.problem?.text).toContain("There is no camera.");
    expect(asked).toHaveLength(1);
  });

  it("whose server falls silent has a gap from when it was last heard of", async () => {
    let lose = (_: Error) => {};
    let nowMs = 1000;
    vi.spyOn(performance, "now").mockImplementation(() => nowMs);
    open = async () => new Stream();
    const answers = [RECOGNISER.recogniseFrame, () => new Promise((_, reject) => (lose = reject))];
    const { page, numbers } = withCamera({
      ...RECOGNISER,
      recogniseFrame: (...frame: Parameters<Recogniser["recogniseFrame"]>) => answers.shift()!(...frame),
    } as Recogniser);
    page.dispatch({ type: "start-camera" });
    await settled();
    nowMs = 3000;
    expect(await numbers()).toEqual([1]);
    nowMs = 13_000;
    await numbers();
    lose(new ConnectionLost());
    await settled();
    expect(page.state.engine.kind).toBe("lost");
    expect(page.cameraSource!.gaps).toEqual([{ reason: "connection", startMs: 2000, endMs: null }]);
    leave(page);
  });

  it.each([
    ["mute, stop, start", "camera 1-2"],
    ["fail, stop, start", "recognition 1-2"],
    ["mute, hide, unmute, show", "camera 1-2, hidden 2-4"],
    ["mute, pause, unmute, resume", "camera 1-2, paused 2-4"],
    ["pause, mute, resume, unmute", "paused 1-3, camera 3-4"],
    ["hide, mute, show, unmute", "hidden 1-3, camera 3-4"],
    ["stop, mute, start, unmute", "camera 3-4"],
    ["pause, fail, resume", "paused 1-3"],
    ["mute, fail, retry, unmute", "camera 1-4"],
    ["mute, fail, unmute, retry", "camera 1-3, recognition 3-4"],
    ["hide, fail, show, retry", "hidden 1-3, recognition 3-4"],
    ["stop, hide, start, show", "hidden 3-4"],
  ])("has gaps for what nothing was recorded for, one second each: %s", async (names, gaps) => {
    let nowMs = 0;
    vi.spyOn(performance, "now").mockImplementation(() => nowMs);
    const track = { getSettings: () => ({}), muted: false, onmute() {}, onunmute() {} };
    const mute = (muted: boolean) => () => {
      Object.assign(track, { muted });
      if (page.state.stage.kind === "camera") track[muted ? "onmute" : "onunmute"]();
    };
    open = async () => Object.assign(new Stream(), { getVideoTracks: () => [track] });
    const { page, numbers } = withCamera();
    const problem = { text: "No.", remedies: [] };
    const actions: Record<string, () => void> = {
      start: () => page.dispatch({ type: "start-camera" }),
      stop: () => {
        page.dispatch({ type: "stop" });
        mute(false)();
      },
      pause: () => page.dispatch({ type: "pause" }),
      resume: () => page.dispatch({ type: "resume" }),
      hide: () => page.dispatch({ type: "tab-hidden" }),
      show: () => page.dispatch({ type: "tab-shown" }),
      retry: () => page.dispatch({ type: "remedy", remedy: "retry" }),
      fail: () => page.dispatch({ type: "engine-failed", wish: page.state.engineWish, problem }),
      mute: mute(true),
      unmute: mute(false),
    };
    for (const name of ["start", ...names.split(", ")]) {
      await numbers();
      actions[name]!();
      await settled();
      nowMs += 1000;
    }
    expect(await numbers()).toHaveLength(1);
    const had = page.cameraSource!.gaps.map(
      ({ reason, startMs, endMs }) => `${reason} ${startMs / 1000}-${endMs! / 1000}`,
    );
    expect(had.join(", ")).toBe(gaps);
  });

  it("that opens in a hidden tab records nothing until somebody looks", async () => {
    open = async () => new Stream();
    const { page, numbers } = withCamera();
    page.dispatch({ type: "start-camera" });
    page.dispatch({ type: "tab-hidden" });
    expect(await numbers()).toEqual([]);
    expect(page.record.size).toBe(0);
    page.dispatch({ type: "tab-shown" });
    expect(await numbers()).toEqual([1]);
    expect(page.cameraSource!.gaps).toEqual([]);
  });

  it("that is stopped while its stream begins fails at nothing", async () => {
    let fail = (_: Error) => {};
    open = async () => new Stream();
    const begin = () => new Promise<void>((_, reject) => (fail = reject));
    const { page } = withCamera({ ...RECOGNISER, begin } as Recogniser);
    page.dispatch({ type: "start-camera" });
    await settled();
    page.dispatch({ type: "stop" });
    fail(new ConnectionLost());
    await settled();
    expect(page.state.engine.kind).toBe("open");
  });
});

describe("a photo", () => {
  beforeEach(() => {
    vi.stubGlobal("MediaStream", Stream);
    vi.stubGlobal("navigator", {});
  });
  afterEach(() => vi.unstubAllGlobals());

  it("that is closed before it breaks what recognises leaves the next to another one", async () => {
    let lose = () => {};
    const breaking = {
      ...{ ...RECOGNISER, isBroken: false },
      recognisePhoto: () =>
        new Promise((_, reject) => {
          lose = () => {
            breaking.isBroken = true;
            reject(new Error("The device is lost."));
          };
        }),
    };
    const photos: string[] = [];
    const sound = {
      ...RECOGNISER,
      recognisePhoto: async ({ name }: File) => {
        photos.push(name);
        return { width: 640, height: 480, faces: [] };
      },
    };
    const { page, next } = withCamera(breaking as unknown as Recogniser);
    const open = (name: string) => {
      const file = new File(["x"], name, { type: "image/jpeg" });
      page.dispatch({ type: "open-files", files: [file] });
    };
    open("a.jpg");
    await settled();
    page.dispatch({ type: "stop" });
    lose();
    await settled();
    next(sound as unknown as Recogniser);
    open("b.jpg");
    await settled();
    expect(photos).toEqual(["b.jpg"]);
    expect(page.state.problem).toBeNull();
  });
});

/** A page whose server's answers about a video are given one after the other. */
function withVideo(
  answers: ((signal: AbortSignal) => Promise<unknown>)[],
  { showVideo, changed } = { showVideo() {}, changed() {} },
) {
  const nothing = () => {};
  const video = {
    ...{ srcObject: null, src: "", videoWidth: 640, duration: 1, hidden: false },
    ...{ pause: nothing, load: nothing, removeAttribute: nothing },
    addEventListener: (event: string, call: () => void) => event === "loadeddata" && call(),
  };
  const screen = {
    ...{ video, clear: nothing, showVideo, expectStill: nothing, setMirrored: nothing },
  };
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
    changed,
    ELSEWHERE,
    "server",
  );
}

describe("a video that is read once more", () => {
  const face = { frame: 0, timestamp_ms: 0, track_id: 1, x: 0, y: 0, width: 80, height: 80 };
  const read = (rows: number) => async () => ({
    faces: Array<object>(rows).fill(face),
    frames: 9,
    warning: null,
  });
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

  it("holds its file once, however often it is read", async () => {
    const held = new Set<string>();
    const revoke = (url: string) => held.delete(url);
    vi.spyOn(URL, "createObjectURL").mockImplementation(() => {
      const url = `blob:${Math.random()}`;
      held.add(url);
      return url;
    });
    vi.spyOn(URL, "revokeObjectURL").mockImplementation(revoke);
    const page = withVideo([read(2), read(2), read(2)]);
    open(page);
    for (let i = 0; i < 2; i++) {
      await settled();
      page.dispatch({ type: "set-reading" });
    }
    await settled();
    expect(held.size).toBe(1);
    page.dispatch({ type: "stop" });
    expect(held.size).toBe(0);
  });

  it("is shown before the server has it", async () => {
    const told: string[] = [];
    const showVideo = () => void told.push("video");
    const page = withVideo([hanging], { showVideo, changed: () => void told.push("change") });
    open(page);
    await settled();
    // Whoever shows the state hears of it, though the state is the same.
    expect(told.slice(-2)).toEqual(["video", "change"]);
  });

  it("says what the server says is missing of it", async () => {
    const page = withVideo([async () => ({ faces: [], frames: 9, warning: "It is damaged." })]);
    open(page);
    await settled();
    expect(page.state.stage).toMatchObject({ phase: "read", warning: "It is damaged." });
  });

  it("keeps the screen on, also after its tab was hidden", async () => {
    const locks: EventTarget[] = [];
    const request = async () => {
      locks.push(Object.assign(new EventTarget(), { release: async () => {} }));
      return locks.at(-1);
    };
    vi.stubGlobal("navigator", { wakeLock: { request } });
    const page = withVideo([hanging]);
    open(page);
    await settled();
    page.dispatch({ type: "tab-shown" });
    expect(locks).toHaveLength(1);
    // The browser does so when the tab is hidden.
    locks[0]!.dispatchEvent(new Event("release"));
    page.dispatch({ type: "tab-shown" });
    expect(locks).toHaveLength(2);
  });
});
