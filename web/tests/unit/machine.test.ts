// What the page does next, without a browser.

import { describe, expect, it } from "vitest";
import { type Effect, type Event, initialState, type State, step } from "../../src/machine";
import { countOf, statusOf } from "../../src/view/words";

interface F {
  readonly name: string;
  readonly type: string;
}

const PHOTO: F = { name: "a.jpg", type: "image/jpeg" };
const OTHER: F = { name: "b.jpg", type: "image/jpeg" };
const VIDEO: F = { name: "a.mp4", type: "video/mp4" };
const OPEN = { description: "WebAssembly, 1 thread", warning: "" };
const PROBLEM = { text: "No.", remedies: [] };

/** The state after some events, and what the last of them gave to do. */
function after(...events: Event<F>[]): { state: State<F>; effects: readonly Effect<F>[] } {
  let state = initialState<F>("device");
  let effects: readonly Effect<F>[] = [];
  for (const event of events) [state, effects] = step(state, event);
  return { state, effects };
}

const RUNNING: Event<F>[] = [
  { type: "start-camera" },
  { type: "camera-open", wish: 1 },
  { type: "engine-open", wish: 1, ...OPEN },
];
const ON_SERVER: Event<F>[] = [{ type: "set-mode", mode: "server" }];

describe("the camera", () => {
  it("opens while the networks load, and is recognised when both are there", () => {
    const first = after(RUNNING[0]!);
    expect(first.effects.map((effect) => effect.do)).toEqual(["open-camera", "open-engine"]);
    expect(after(...RUNNING).effects).toEqual([{ do: "begin-live", wish: 1 }]);
    expect(after(RUNNING[0]!, RUNNING[2]!, RUNNING[1]!).effects).toEqual([{ do: "begin-live", wish: 1 }]);
  });

  it("gives way to a photo that is opened while it starts", () => {
    const opened: Event<F>[] = [RUNNING[0]!, RUNNING[2]!, { type: "open-files", files: [PHOTO] }];
    expect(after(...opened).effects.map((effect) => effect.do)).toEqual([
      "stop-live",
      "close-source",
      "recognise-photo",
    ]);
    const late = after(...opened, { type: "camera-open", wish: 1 });
    expect(late.state.stage.kind).toBe("photos");
    expect(late.effects).toEqual([]);
    const refused = after(...opened, { type: "source-failed", wish: 1, problem: PROBLEM });
    expect(refused.state.problem).toBeNull();
  });

  it("pauses and goes on", () => {
    const paused = after(...RUNNING, { type: "pause" });
    expect(paused.effects).toEqual([{ do: "stop-live", gap: "paused" }]);
    const on = step(paused.state, { type: "resume" });
    expect(on[1]).toEqual([{ do: "begin-live", wish: 1 }]);
  });

  it("that is paused stays paused, whatever comes late", () => {
    const { state } = after(...RUNNING, { type: "pause" });
    const late: Event<F>[] = [
      { type: "live-result", wish: 1 },
      { type: "engine-progress", wish: 1, loaded: 9, total: 9 },
      { type: "engine-open", wish: 1, ...OPEN },
      { type: "retry-due", wish: 1 },
      { type: "tab-shown" },
    ];
    for (const event of late) {
      const [next, effects] = step(state, event);
      expect(next.stage).toMatchObject({ kind: "camera", phase: "paused" });
      expect(statusOf(next, "Running a little slowly", [])).toBe("Paused.");
      expect(effects).toEqual([]);
    }
  });

  it("that falls silent is waited for, with a gap, and goes on when it is back", () => {
    const silence = (isSilent: boolean) => ({ type: "camera-silence", wish: 1, isSilent }) as const;
    const silent = after(...RUNNING, silence(true));
    expect(silent.effects).toEqual([{ do: "stop-live", gap: "camera" }]);
    expect(statusOf(silent.state, "", [])).toContain("gives no picture");
    // It is paused and wanted again meanwhile.
    const wanted = [{ type: "pause" }, { type: "resume" }, silence(true)] as const;
    expect(after(...RUNNING, silence(true), ...wanted).effects).toEqual([]);
    expect(step(silent.state, silence(false))[1]).toEqual([{ do: "begin-live", wish: 1 }]);
    const paused = after(...RUNNING, { type: "pause" }, silence(true), silence(false));
    expect(paused.effects).toEqual([]);
    expect(paused.state.stage).toMatchObject({ phase: "paused" });
  });

  it("that is back begins nothing that failed or was stopped", () => {
    const silence = (isSilent: boolean) => ({ type: "camera-silence", wish: 1, isSilent }) as const;
    const failed = { type: "engine-failed", wish: 1, problem: PROBLEM } as const;
    const ends: Event<F>[][] = [
      [...RUNNING, silence(true), failed],
      [RUNNING[0]!, silence(true), RUNNING[1]!, { type: "stop-loading" }],
    ];
    for (const events of ends) {
      const { state } = after(...events);
      const [back, effects] = step(state, silence(false));
      expect(effects).toEqual([{ do: "stop-live", gap: "recognition" }]);
      expect([back.engine.kind, back.problem]).toEqual(["closed", state.problem]);
      const [, again] = step(back, { type: "remedy", remedy: "retry" });
      expect(again).toEqual([{ do: "open-engine", mode: "device", wish: back.engineWish + 1 }]);
    }
  });

  it("that is silent from its start on says so, and runs once it is not", () => {
    const [start, open, engine] = RUNNING;
    const silent = { type: "camera-silence", wish: 1, isSilent: true } as const;
    const { state, effects } = after(start!, silent, engine!, open!);
    expect(statusOf(state, "", [])).toContain("gives no picture");
    expect(effects).toEqual([]);
    expect(step(state, { ...silent, isSilent: false })[1]).toEqual([{ do: "begin-live", wish: 1 }]);
  });

  it("has a gap where recognition on this device fails", () => {
    const { effects } = after(...RUNNING, { type: "engine-failed", wish: 1, problem: PROBLEM });
    expect(effects).toEqual([{ do: "stop-live", gap: "recognition" }]);
  });

  it("says why it could not be opened, and the welcome is back", () => {
    const failed = { type: "source-failed", wish: 1, problem: PROBLEM } as const;
    const { state } = after(RUNNING[0]!, failed);
    expect(state.stage.kind).toBe("welcome");
    expect(state.problem).toEqual(PROBLEM);
    // Its player fails with it, and has nothing to say.
    expect(step(state, { ...failed, problem: { text: "Interrupted.", remedies: [] } })).toEqual([state, []]);
  });
});

describe("a tab", () => {
  it("sleeps while it is hidden, and goes on by itself", () => {
    const hidden = after(...RUNNING, { type: "tab-hidden" });
    expect(hidden.effects).toEqual([{ do: "stop-live", gap: "hidden" }]);
    expect(step(hidden.state, { type: "tab-shown" })[1]).toEqual([{ do: "begin-live", wish: 1 }]);
  });

  it("that is hidden while the camera opens, or the networks load, begins when somebody looks", () => {
    const [start, camera, engine] = RUNNING as [Event<F>, Event<F>, Event<F>];
    const orders = [
      [start, { type: "tab-hidden" }, camera, engine],
      [start, { type: "tab-hidden" }, engine, camera],
      [start, camera, { type: "tab-hidden" }, engine],
      [start, engine, { type: "tab-hidden" }, camera],
    ] as const;
    for (const order of orders) {
      let state = initialState<F>("device");
      const all: Effect<F>[] = [];
      for (const event of order) {
        const [next, effects] = step(state, event);
        state = next;
        all.push(...effects);
      }
      expect(all.map((effect) => effect.do)).not.toContain("begin-live");
      expect(all).toContainEqual({ do: "stop-live", gap: "hidden" });
      expect(statusOf(state, "", [])).toBe("Waiting until somebody looks.");
      expect(step(state, { type: "tab-shown" })[1]).toEqual([{ do: "begin-live", wish: 1 }]);
    }
    // Somebody is back before the camera is.
    const back = after(start, engine, { type: "tab-hidden" }, { type: "tab-shown" }, camera);
    expect(back.effects).toEqual([{ do: "begin-live", wish: 1 }]);
  });

  it("that is shown again begins nothing that failed or was stopped", () => {
    const failed = { type: "engine-failed", wish: 1, problem: PROBLEM } as const;
    const ends: Event<F>[][] = [
      [...RUNNING, { type: "tab-hidden" }, failed],
      [...RUNNING, failed, { type: "tab-hidden" }],
      [RUNNING[0]!, RUNNING[1]!, { type: "stop-loading" }, { type: "tab-hidden" }],
    ];
    for (const events of ends) {
      const { state } = after(...events);
      const [shown, effects] = step(state, { type: "tab-shown" });
      expect(effects).toEqual([{ do: "stop-live", gap: "recognition" }]);
      expect([shown.engine.kind, shown.problem]).toEqual(["closed", state.problem]);
      const [, again] = step(shown, { type: "remedy", remedy: "retry" });
      expect(again).toEqual([{ do: "open-engine", mode: "device", wish: shown.engineWish + 1 }]);
    }
  });

  it("that is paused stays paused", () => {
    const { state, effects } = after(
      ...RUNNING,
      { type: "pause" },
      { type: "tab-hidden" },
      { type: "tab-shown" },
    );
    expect(state.stage).toMatchObject({ kind: "camera", phase: "paused" });
    expect(effects).toEqual([]);
  });
});

describe("the server", () => {
  const live: Event<F>[] = [
    ...ON_SERVER,
    { type: "start-camera" },
    { type: "camera-open", wish: 2 },
    { type: "engine-open", wish: 2, ...OPEN },
  ];

  it("is sought again and again when the connection ends, ever less often", () => {
    let [state, effects] = step(after(...live).state, { type: "engine-lost", wish: 2 });
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      expect(effects[0]).toEqual({ do: "stop-live", gap: "connection" });
      const retry = effects.find((effect) => effect.do === "retry-in")!;
      waits.push(retry.ms);
      [state, effects] = step(state, { type: "retry-due", wish: retry.wish });
      expect(effects).toEqual([{ do: "open-engine", mode: "server", wish: state.engineWish }]);
      const failure = { type: "engine-failed", wish: state.engineWish, problem: PROBLEM } as const;
      [state, effects] = step(state, failure);
      expect(state.problem).toBeNull();
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    [state] = step(state, { type: "tab-shown" });
    [state, effects] = step(state, { type: "engine-open", wish: state.engineWish, ...OPEN });
    expect(effects).toEqual([{ do: "begin-live", wish: state.engineWish }]);
    [state] = step(state, { type: "live-result", wish: state.engineWish });
    [, effects] = step(state, { type: "engine-lost", wish: state.engineWish });
    expect(effects.at(-1)).toMatchObject({ do: "retry-in", ms: 500 });
  });

  it("can be left for the device while it is gone", () => {
    const lost = after(...live, { type: "engine-lost", wish: 2 });
    const [state, effects] = step(lost.state, { type: "remedy", remedy: "use-device" });
    expect(state.mode).toBe("device");
    expect(effects.at(-1)).toMatchObject({ do: "open-engine", mode: "device" });
    const late = step(state, { type: "retry-due", wish: 2 });
    expect(late).toEqual([state, []]);
  });

  it("never gets what is on the stage of a device that became ready late", () => {
    const { state, effects } = after(
      RUNNING[0]!,
      RUNNING[1]!,
      ...ON_SERVER,
      { type: "engine-open", wish: 1, ...OPEN },
    );
    expect(state.engine.kind).toBe("opening");
    expect(effects).toEqual([]);
  });
});

describe("what fails outside", () => {
  const problem = { text: "No report.", remedies: ["save-report"] } as const;

  it("is told until it is done, whatever comes meanwhile, and is done by itself", () => {
    const { state } = after(
      ...RUNNING,
      { type: "outside-failed", problem },
      { type: "live-result", wish: 1 },
      { type: "engine-open", wish: 1, ...OPEN },
    );
    expect(state.problem).toEqual(problem);
    const [next, effects] = step(state, { type: "remedy", remedy: "save-report" });
    expect(next.problem).toBeNull();
    expect(effects).toEqual([{ do: "save-report" }]);
  });
});

describe("loading", () => {
  it("tells how far it is, can be stopped and tried again", () => {
    const loading: Event<F>[] = [
      RUNNING[0]!,
      RUNNING[1]!,
      { type: "engine-progress", wish: 1, loaded: 5, total: 9 },
    ];
    expect(after(...loading).state.engine).toMatchObject({ loaded: 5, total: 9 });
    const stopped = after(...loading, { type: "stop-loading" });
    expect(stopped.effects).toEqual([{ do: "close-engine" }]);
    expect(stopped.state.problem?.remedies).toEqual(["retry"]);
    const [again, effects] = step(stopped.state, { type: "remedy", remedy: "retry" });
    expect(again.problem).toBeNull();
    expect(effects).toEqual([{ do: "open-engine", mode: "device", wish: again.engineWish }]);
  });

  it("that was stopped goes on for a further photo", () => {
    const { state, effects } = after(
      { type: "open-files", files: [PHOTO] },
      { type: "stop-loading" },
      { type: "dismiss" },
      { type: "open-files", files: [OTHER] },
    );
    expect(effects).toEqual([{ do: "open-engine", mode: "device", wish: state.engineWish }]);
    const [, first] = step(state, { type: "engine-open", wish: state.engineWish, ...OPEN });
    expect(first).toMatchObject([{ do: "recognise-photo", file: OTHER, index: 1 }]);
  });

  it("that was stopped is not begun again for what nobody asked for", () => {
    const stopped = after(RUNNING[0]!, { type: "stop-loading" });
    expect(step(stopped.state, { type: "preload" })).toEqual([stopped.state, []]);
  });

  it("that fails before anybody asked for anything says nothing", () => {
    const failed: Event<F>[] = [{ type: "preload" }, { type: "engine-failed", wish: 1, problem: PROBLEM }];
    expect(after(...failed).state.problem).toBeNull();
    const asked = after(...failed, { type: "start-camera" });
    expect(asked.effects.at(-1)).toEqual({ do: "open-engine", mode: "device", wish: 2 });
  });
});

describe("photos", () => {
  const three: Event<F>[] = [
    { type: "preload" },
    { type: "engine-open", wish: 1, ...OPEN },
    { type: "open-files", files: [PHOTO, OTHER] },
  ];

  it("are recognised one by one, the one that is looked at first", () => {
    const first = after(...three, { type: "choose-photo", index: 1 });
    const [state, effects] = step(first.state, { type: "photo-done", wish: 1, index: 0, problem: null });
    expect(effects).toEqual([{ do: "recognise-photo", file: OTHER, index: 1, wish: 1 }]);
    expect(step(state, { type: "photo-done", wish: 1, index: 1, problem: null })[1]).toEqual([]);
  });

  it("that cannot be read do not keep the others from it", () => {
    const { effects } = after(...three, { type: "photo-done", wish: 1, index: 0, problem: PROBLEM });
    expect(effects).toEqual([{ do: "recognise-photo", file: OTHER, index: 1, wish: 1 }]);
  });

  it("are tried again where they failed, and only there", () => {
    const failed = after(
      ...three,
      { type: "photo-done", wish: 1, index: 0, problem: null },
      { type: "photo-done", wish: 1, index: 1, problem: PROBLEM },
    );
    const [state, effects] = step(failed.state, { type: "remedy", remedy: "retry" });
    expect(state.stage).toMatchObject({ photos: [{ phase: "done" }, { phase: "waiting" }] });
    expect(effects).toEqual([{ do: "recognise-photo", file: OTHER, index: 1, wish: 1 }]);
  });

  it("that break what recognises get the others another one", () => {
    const broken = after(...three, { type: "engine-broken", wish: 1 });
    const [state, effects] = step(broken.state, { type: "photo-done", wish: 1, index: 0, problem: PROBLEM });
    expect(effects).toEqual([{ do: "open-engine", mode: "device", wish: 2 }]);
    const [next, then] = step(state, { type: "engine-open", wish: 2, ...OPEN });
    expect(then).toEqual([{ do: "recognise-photo", file: OTHER, index: 1, wish: 1 }]);
    expect(next.problem).toEqual(PROBLEM);
  });

  it("that are left before they break what recognises leave another one to what comes next", () => {
    const left = after(...three, { type: "stop" }, { type: "engine-broken", wish: 1 }).state;
    const next = { type: "open-files", files: [OTHER] } as const;
    expect(step(left, next)[1]).toEqual([{ do: "open-engine", mode: "device", wish: 2 }]);
    // A camera that is opening already gets it at once; to hear of the break twice changes nothing.
    const camera = after(...three, { type: "start-camera" }, { type: "engine-broken", wish: 1 });
    expect(camera.effects).toEqual([{ do: "open-engine", mode: "device", wish: 2 }]);
    expect(step(camera.state, { type: "engine-broken", wish: 2 })).toEqual([camera.state, []]);
    // So does one that is open in a hidden tab: nobody is told, who would try again.
    const opened = [{ type: "start-camera" }, { type: "camera-open", wish: 2 }, { type: "tab-hidden" }] as const;
    const hidden = after(...three, ...opened, { type: "engine-broken", wish: 1 });
    expect(hidden.effects).toEqual([{ do: "open-engine", mode: "device", wish: 2 }]);
  });

  it("tell how far the search for small faces is", () => {
    const { state } = after(...three, { type: "photo-progress", wish: 1, done: 4, total: 11 });
    expect(countOf(state)).toBe("4 of 11 parts");
    expect(statusOf(state, "", [])).toContain("small faces too");
    const [next] = step(state, { type: "photo-done", wish: 1, index: 0, problem: null });
    expect(countOf(next)).toBe("");
    expect(statusOf(next, "", [])).not.toContain("small faces too");
    const [left] = step(state, { type: "stop" });
    expect(step(left, { type: "photo-progress", wish: 1, done: 5, total: 11 })).toEqual([left, []]);
  });

  it("join those that are there", () => {
    const { state, effects } = after(
      ...three,
      { type: "photo-done", wish: 1, index: 0, problem: null },
      { type: "open-files", files: [PHOTO] },
    );
    expect(state.stage).toMatchObject({ kind: "photos", chosen: 2 });
    // The second one is still under way, and calls the third.
    expect(effects).toEqual([]);
  });

  it("are recognised again in the other place, whose answers alone count", () => {
    const there = after(...three, ...ON_SERVER);
    expect(there.state.stage).toMatchObject({ photos: [{ phase: "waiting" }, { phase: "waiting" }] });
    const late = step(there.state, { type: "photo-done", wish: 1, index: 0, problem: null });
    expect(late).toEqual([there.state, []]);
  });
});

describe("files that are chosen together", () => {
  const opened = (...files: F[]) => after({ type: "open-files", files }).state;
  const only = (what: string) => `Only ${what} opened: one video at a time, and not with photos.`;

  it("are said where they are not opened", () => {
    const other: F = { name: "b.mp4", type: "video/mp4" };
    for (const files of [[VIDEO, other], [VIDEO, PHOTO]]) {
      const state = opened(...files);
      expect(state.stage).toMatchObject({ kind: "video", file: VIDEO });
      expect(state.problem?.text).toBe(only("a.mp4 was"));
    }
    const photos = opened(PHOTO, VIDEO, OTHER);
    expect(photos.stage).toMatchObject({ photos: [{ file: PHOTO }, { file: OTHER }] });
    expect(photos.problem?.text).toBe(only("the photos were"));
  });

  it("are all opened where they are photos, and a video where it is alone", () => {
    expect(opened(PHOTO, OTHER).problem).toBeNull();
    expect(opened(VIDEO).problem).toBeNull();
  });
});

describe("a file whose type the browser does not know", () => {
  const opened = (name: string, type: string) =>
    after({ type: "open-files", files: [{ name, type }] }).state.stage.kind;

  it.each(["", "application/octet-stream", "application/x-matroska"])(
    "is a video or a photo by its name (type “%s”)",
    (type) => {
      expect(opened("clip.mkv", type)).toBe("video");
      expect(opened("CLIP.MTS", type)).toBe("video");
      expect(opened("phone.heic", type)).toBe("photos");
      expect(opened("clip.mkv.png", type)).toBe("photos");
      expect(opened("mkv", type)).toBe("photos");
    },
  );

  it("is what the type says where it says something", () => {
    expect(opened("clip.mp4", "image/jpeg")).toBe("photos");
    expect(opened("photo.jpg", "video/mp4")).toBe("video");
  });

  it("reaches the server as the video that it is", () => {
    const file = { name: "clip.mkv", type: "" };
    const opened: Event<F>[] = [
      { type: "open-files", files: [file] },
      { type: "engine-open", wish: 1, ...OPEN },
      { type: "source-failed", wish: 1, problem: PROBLEM },
      { type: "remedy", remedy: "use-server" },
    ];
    const { state } = after(...opened);
    const [, effects] = step(state, { type: "engine-open", wish: state.engineWish, ...OPEN });
    expect(effects).toEqual([{ do: "read-video", file, wish: state.sourceWish }]);
  });
});

describe("a video", () => {
  const reading: Event<F>[] = [
    { type: "open-files", files: [VIDEO] },
    { type: "engine-open", wish: 1, ...OPEN },
  ];

  it("is read from its first frame to its last", () => {
    expect(after(...reading).effects).toEqual([{ do: "read-video", file: VIDEO, wish: 1 }]);
    const { state } = after(
      ...reading,
      { type: "video-progress", wish: 1, done: 200, total: 464 },
      { type: "video-read", wish: 1, done: 464, warning: null },
    );
    expect(state.stage).toMatchObject({ phase: "read", done: 464, total: 464 });
  });

  it("has a status that stands still while its frames are counted", () => {
    const counted = [200, 201].map((done) => {
      const { state } = after(...reading, { type: "video-progress", wish: 1, done, total: 464 });
      return [statusOf(state, "", []), countOf(state)];
    });
    expect(counted).toEqual([
      ["Reading the video on this device …", "200 of 464 frames"],
      ["Reading the video on this device …", "201 of 464 frames"],
    ]);
  });

  it("of which something is missing says so until it is read again", () => {
    const warning = "The video is damaged in 2 places.";
    const { state } = after(...reading, { type: "video-read", wish: 1, done: 464, warning });
    expect(statusOf(state, "", [])).toBe(`All 464 frames recognised. ${warning}`);
    const [again] = step(state, { type: "set-reading" });
    expect(again.stage).toMatchObject({ kind: "video", warning: null });
  });

  it("that the device cannot read is offered to the server", () => {
    const failed = after(...reading, { type: "source-failed", wish: 1, problem: PROBLEM });
    const [there] = step(failed.state, { type: "remedy", remedy: "use-server" });
    const [, effects] = step(there, { type: "engine-open", wish: there.engineWish, ...OPEN });
    expect(effects).toEqual([{ do: "read-video", file: VIDEO, wish: there.sourceWish }]);
  });

  it("that was read is not read again where something else is tried again", () => {
    const { state, effects } = after(
      ...reading,
      { type: "video-read", wish: 1, done: 464, warning: null },
      { type: "remedy", remedy: "retry" },
    );
    expect(state.stage).toMatchObject({ phase: "read" });
    expect(effects).toEqual([]);
  });

  it("that broke what recognises is read by another one when it is tried again", () => {
    const failed = after(
      ...reading,
      { type: "engine-broken", wish: 1 },
      { type: "source-failed", wish: 1, problem: PROBLEM },
    );
    const [state, effects] = step(failed.state, { type: "remedy", remedy: "retry" });
    expect(effects).toEqual([{ do: "open-engine", mode: "device", wish: 2 }]);
    const [, then] = step(state, { type: "engine-open", wish: 2, ...OPEN });
    expect(then).toEqual([{ do: "read-video", file: VIDEO, wish: 1 }]);
  });

  it("is not disturbed by a tab that is hidden", () => {
    expect(after(...reading, { type: "tab-hidden" }).effects).toEqual([]);
  });

  it("ends when it is stopped", () => {
    const { state, effects } = after(...reading, { type: "stop" });
    expect(state.stage.kind).toBe("welcome");
    expect(effects).toEqual([{ do: "stop-live", gap: null }, { do: "close-source" }]);
    expect(step(state, { type: "video-read", wish: 1, done: 464, warning: null })).toEqual([state, []]);
  });
});
