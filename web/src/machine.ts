// What the page is doing, and what may happen next: a state machine without a browser.
//
//     step(state, event) → the next state, and what is to be done for it
//
// `page.ts` does what is to be done (opens cameras, loads networks, draws), and reports what comes of
// it as further events. Such a report says which wish it answers: an answer to a wish that nobody has
// any more, such as the picture of a camera after a photo was opened, is passed over.

import type { GapReason } from "./record/record";
import type { Mode, Remedy } from "./types";

/** A file, as far as this module looks at it. */
export interface NamedFile {
  readonly name: string;
  readonly type: string;
}

/** What is on the stage. */
export type Stage<F extends NamedFile = File> =
  | { readonly kind: "welcome" }
  | {
      readonly kind: "camera";
      readonly phase: "opening" | "open" | "paused" | "asleep";
      /** Whether the camera gives no picture, though it is there. */
      readonly isSilent: boolean;
    }
  | {
      readonly kind: "video";
      readonly file: F;
      readonly phase: "waiting" | "reading" | "read" | "failed";
      readonly done: number;
      readonly total: number | null;
      /** What is missing of a video that was read, though it could be read. */
      readonly warning: string | null;
    }
  | {
      readonly kind: "photos";
      readonly photos: readonly Photo<F>[];
      readonly chosen: number;
      /** Of the photo that is recognised: how many of its parts were searched. */
      readonly done: number;
      readonly total: number;
    };

export interface Photo<F extends NamedFile = File> {
  readonly file: F;
  readonly phase: "waiting" | "done" | "failed";
}

/** What recognises, in the chosen place. `attempt` counts the connections lost in a row. */
export type Engine =
  | { readonly kind: "closed" }
  | { readonly kind: "opening"; readonly loaded: number; readonly total: number; readonly attempt: number }
  | { readonly kind: "open"; readonly description: string; readonly warning: string; readonly attempt: number }
  | { readonly kind: "lost"; readonly attempt: number };

/** Something that went wrong, and the buttons that may help. */
export interface Problem {
  readonly text: string;
  readonly remedies: readonly Remedy[];
}

export interface State<F extends NamedFile = File> {
  readonly mode: Mode;
  readonly stage: Stage<F>;
  readonly engine: Engine;
  readonly problem: Problem | null;
  /** Whether the tab is hidden: it gets no frames of a camera. */
  readonly isHidden: boolean;
  /** Number of the last wish for something to see, and for something that recognises. */
  readonly sourceWish: number;
  readonly engineWish: number;
}

export type Event<F extends NamedFile = File> =
  | { readonly type: "preload" }
  | { readonly type: "start-camera" }
  | { readonly type: "open-files"; readonly files: readonly F[] }
  | { readonly type: "choose-photo"; readonly index: number }
  | { readonly type: "stop" }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  | { readonly type: "stop-loading" }
  | { readonly type: "set-mode"; readonly mode: Mode }
  | { readonly type: "set-reading" }
  | { readonly type: "remedy"; readonly remedy: Remedy }
  | { readonly type: "dismiss" }
  | { readonly type: "tab-hidden" }
  | { readonly type: "tab-shown" }
  /** Something went wrong that this machine does not do, such as saving a report. */
  | { readonly type: "outside-failed"; readonly problem: Problem }
  // Reports on what was to be done.
  | { readonly type: "camera-open"; readonly wish: number }
  | { readonly type: "camera-silence"; readonly wish: number; readonly isSilent: boolean }
  | { readonly type: "source-failed"; readonly wish: number; readonly problem: Problem }
  | { readonly type: "engine-progress"; readonly wish: number; readonly loaded: number; readonly total: number }
  | { readonly type: "engine-open"; readonly wish: number; readonly description: string; readonly warning: string }
  | { readonly type: "engine-failed"; readonly wish: number; readonly problem: Problem }
  /** What recognises broke at a video or a photo, which fails by itself, unless it was closed. */
  | { readonly type: "engine-broken"; readonly wish: number }
  | { readonly type: "engine-lost"; readonly wish: number }
  | { readonly type: "live-result"; readonly wish: number }
  | { readonly type: "retry-due"; readonly wish: number }
  | { readonly type: "video-progress"; readonly wish: number; readonly done: number; readonly total: number | null }
  | { readonly type: "video-read"; readonly wish: number; readonly done: number; readonly warning: string | null }
  | { readonly type: "photo-progress"; readonly wish: number; readonly done: number; readonly total: number }
  | { readonly type: "photo-done"; readonly wish: number; readonly index: number; readonly problem: Problem | null };

/** Something that is to be done. */
export type Effect<F extends NamedFile = File> =
  | { readonly do: "open-camera"; readonly wish: number }
  /** Ends the camera, the video and whatever is being read. */
  | { readonly do: "close-source" }
  | { readonly do: "open-engine"; readonly mode: Mode; readonly wish: number }
  /** Breaks off loading, and closes the connection to the server. */
  | { readonly do: "close-engine" }
  | { readonly do: "begin-live"; readonly wish: number }
  | { readonly do: "stop-live"; readonly gap: GapReason | null }
  | { readonly do: "read-video"; readonly file: F; readonly wish: number }
  | { readonly do: "recognise-photo"; readonly file: F; readonly index: number; readonly wish: number }
  | { readonly do: "retry-in"; readonly ms: number; readonly wish: number }
  | { readonly do: "pick-files" }
  | { readonly do: "save-report" }
  /** Asks the server once more what its network is. */
  | { readonly do: "greet" }
  | { readonly do: "clear-record" };

export type Step<F extends NamedFile> = readonly [State<F>, readonly Effect<F>[]];

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;
// As in mien.media.source.
const VIDEO_NAME = /\.(3gp|asf|avi|flv|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|ogv|ts|vob|webm|wmv)$/i;

export function initialState<F extends NamedFile = File>(mode: Mode): State<F> {
  return {
    mode,
    stage: { kind: "welcome" },
    engine: { kind: "closed" },
    problem: null,
    isHidden: false,
    sourceWish: 0,
    engineWish: 0,
  };
}

/** What the page does next, after an event. */
export function step<F extends NamedFile>(state: State<F>, event: Event<F>): Step<F> {
  switch (event.type) {
    case "preload":
      return preload(state);
    case "start-camera":
      return startCamera(state);
    case "open-files":
      return openFiles(state, event.files);
    case "choose-photo":
      return choosePhoto(state, event.index);
    case "stop":
      return stop(state);
    case "pause":
      return pause(state);
    case "resume":
      return resume(state);
    case "stop-loading":
      return stopLoading(state);
    case "set-mode":
      return event.mode === state.mode ? [state, []] : recogniseAnew(state, event.mode);
    case "set-reading":
      return recogniseAnew(state, state.mode);
    case "remedy":
      return remedy(state, event.remedy);
    case "dismiss":
      return [{ ...state, problem: null }, []];
    case "tab-hidden":
      return fallsAsleep({ ...state, isHidden: true });
    case "tab-shown":
      return tabShown(state);
    case "outside-failed":
      return [{ ...state, problem: event.problem }, []];
    default:
      return report(state, event);
  }
}

type Report<F extends NamedFile> = Extract<Event<F>, { readonly wish: number }>;

const ABOUT_ENGINE: ReadonlySet<Event["type"]> = new Set([
  "engine-progress",
  "engine-open",
  "engine-failed",
  "engine-broken",
  "engine-lost",
  "live-result",
  "retry-due",
] as const);

function report<F extends NamedFile>(state: State<F>, event: Report<F>): Step<F> {
  const wish = ABOUT_ENGINE.has(event.type) ? state.engineWish : state.sourceWish;
  if (event.wish !== wish) return [state, []];
  switch (event.type) {
    case "camera-open":
      return cameraOpen(state);
    case "camera-silence":
      return cameraSilence(state, event.isSilent);
    case "source-failed":
      return sourceFailed(state, event.problem);
    case "engine-progress":
      return engineProgress(state, event.loaded, event.total);
    case "engine-open":
      return engineOpen(state, event.description, event.warning);
    case "engine-failed":
      return engineFailed(state, event.problem);
    case "engine-broken":
      return engineBroken(state);
    case "engine-lost":
      return engineLost(state);
    case "live-result":
      return worksAgain(state);
    case "retry-due":
      return state.engine.kind === "lost" ? withEngine(state, []) : [state, []];
    case "video-progress":
      return videoProgress(state, event.done, event.total);
    case "video-read":
      return videoRead(state, event.done, event.warning);
    case "photo-progress":
      return photoProgress(state, event.done, event.total);
    case "photo-done":
      return photoDone(state, event.index, event.problem);
  }
}

// --- What the user wants to see ---

/** Whoever chose something to see already has had the networks loaded for it, or stopped that. */
function preload<F extends NamedFile>(state: State<F>): Step<F> {
  return state.stage.kind === "welcome" ? withEngine(state, []) : [state, []];
}

function startCamera<F extends NamedFile>(state: State<F>): Step<F> {
  const wish = state.sourceWish + 1;
  const next: State<F> = {
    ...state,
    sourceWish: wish,
    stage: { kind: "camera", phase: "opening", isSilent: false },
    problem: null,
  };
  return withEngine(next, [...leave(state), { do: "open-camera", wish }]);
}

function cameraOpen<F extends NamedFile>(state: State<F>): Step<F> {
  if (state.stage.kind !== "camera") return [state, []];
  const next: State<F> = { ...state, stage: { ...state.stage, phase: "open" } };
  return state.isHidden ? fallsAsleep(next) : whenOpen(next);
}

/** A camera may fall silent for a while: a phone gives it to another app, or its driver stalls. */
function cameraSilence<F extends NamedFile>(state: State<F>, isSilent: boolean): Step<F> {
  const { stage } = state;
  if (stage.kind !== "camera" || stage.isSilent === isSilent) return [state, []];
  const next: State<F> = { ...state, stage: { ...stage, isSilent } };
  if (stage.phase === "paused" || stage.phase === "asleep") return [next, []];
  return isSilent ? [next, silenceOf(next)] : goesOn(next);
}

/** What must be done where it is the camera that gives nothing to recognise. */
function silenceOf<F extends NamedFile>({ stage }: State<F>): Effect<F>[] {
  return stage.kind === "camera" && stage.isSilent ? [{ do: "stop-live", gap: "camera" }] : [];
}

function openFiles<F extends NamedFile>(state: State<F>, files: readonly F[]): Step<F> {
  const [first] = files;
  if (!first) return [state, []];
  if (isVideo(first)) return openVideo(state, first, files.length - 1);
  const photos = files
    .filter((file) => !isVideo(file))
    .map((file): Photo<F> => ({ file, phase: "waiting" }));
  // Further photos join those that are there.
  const before = state.stage.kind === "photos" ? state.stage.photos : [];
  const next: State<F> = {
    ...state,
    sourceWish: state.stage.kind === "photos" ? state.sourceWish : state.sourceWish + 1,
    stage: { kind: "photos", photos: [...before, ...photos], chosen: before.length, done: 0, total: 0 },
    problem: files.length > photos.length ? othersLeftOut("the photos were") : null,
  };
  const left = state.stage.kind === "photos" ? [] : leave(state);
  const isBusy = before.some(({ phase }) => phase === "waiting");
  return isBusy && state.engine.kind === "open" ? [next, left] : withEngine(next, left);
}

/** Of a Matroska file and others, a browser knows no type, or none that says what is in it. */
function isVideo({ name, type }: NamedFile): boolean {
  if (type.startsWith("image/")) return false;
  return type.startsWith("video/") || VIDEO_NAME.test(name);
}

/** What is said where files were chosen together that cannot be shown together. */
function othersLeftOut(opened: string): Problem {
  return { text: `Only ${opened} opened: one video at a time, and not with photos.`, remedies: [] };
}

/** Opens a video, and says so if other files were chosen with it. */
function openVideo<F extends NamedFile>(state: State<F>, file: F, others: number): Step<F> {
  const next: State<F> = {
    ...state,
    sourceWish: state.sourceWish + 1,
    stage: { kind: "video", file, phase: "waiting", done: 0, total: null, warning: null },
    problem: others > 0 ? othersLeftOut(`${file.name} was`) : null,
  };
  return withEngine(next, leave(state));
}

function choosePhoto<F extends NamedFile>(state: State<F>, index: number): Step<F> {
  const { stage } = state;
  if (stage.kind !== "photos" || !stage.photos[index]) return [state, []];
  return [{ ...state, stage: { ...stage, chosen: index } }, []];
}

function stop<F extends NamedFile>(state: State<F>): Step<F> {
  const next: State<F> = {
    ...state,
    sourceWish: state.sourceWish + 1,
    stage: { kind: "welcome" },
    problem: null,
  };
  return [next, leave(state)];
}

/** What must be done to leave the stage. */
function leave<F extends NamedFile>({ stage }: State<F>): Effect<F>[] {
  if (stage.kind === "welcome") return [];
  return [{ do: "stop-live", gap: null }, { do: "close-source" }];
}

function pause<F extends NamedFile>(state: State<F>): Step<F> {
  if (state.stage.kind !== "camera" || state.stage.phase !== "open") return [state, []];
  const next: State<F> = { ...state, stage: { ...state.stage, phase: "paused" } };
  return [next, [{ do: "stop-live", gap: "paused" }]];
}

function resume<F extends NamedFile>(state: State<F>): Step<F> {
  if (state.stage.kind !== "camera" || state.stage.phase !== "paused") return [state, []];
  const next: State<F> = { ...state, stage: { ...state.stage, phase: "open" }, problem: null };
  return withEngine(next, silenceOf(next));
}

// --- A tab that nobody looks at gets no frames ---

/** A camera that is open sleeps; one that is still being opened does so once it is open. */
function fallsAsleep<F extends NamedFile>(state: State<F>): Step<F> {
  if (state.stage.kind !== "camera" || state.stage.phase !== "open") return [state, []];
  const next: State<F> = { ...state, stage: { ...state.stage, phase: "asleep" } };
  return [next, [{ do: "stop-live", gap: "hidden" }]];
}

function tabShown<F extends NamedFile>(state: State<F>): Step<F> {
  const shown: State<F> = { ...state, isHidden: false };
  if (shown.stage.kind === "camera" && shown.stage.phase === "asleep") {
    return goesOn({ ...shown, stage: { ...shown.stage, phase: "open" } });
  }
  // Who comes back does not want to wait for the next attempt.
  return shown.engine.kind === "lost" ? withEngine(shown, []) : [shown, []];
}

/** Goes on by itself: with a camera that is back, or in a tab that is. */
function goesOn<F extends NamedFile>(state: State<F>): Step<F> {
  const silence = silenceOf(state);
  if (state.engine.kind !== "closed") return withEngine(state, silence);
  // What failed or was stopped has its message, and begins only when somebody wants it again.
  return [state, [...silence, ...interrupted(state, whyNothing(state.mode))]];
}

// --- What recognises ---

/** Goes on with the engine, which is opened first if need be. */
function withEngine<F extends NamedFile>(state: State<F>, before: readonly Effect<F>[]): Step<F> {
  const { engine } = state;
  if (engine.kind === "open") {
    const [next, effects] = whenOpen(state);
    return [next, [...before, ...effects]];
  }
  if (engine.kind === "opening") return [state, before];
  const wish = state.engineWish + 1;
  const attempt = engine.kind === "lost" ? engine.attempt : 0;
  const next: State<F> = {
    ...state,
    engineWish: wish,
    engine: { kind: "opening", loaded: 0, total: 0, attempt },
  };
  return [next, [...before, { do: "open-engine", mode: state.mode, wish }]];
}

/** What to do with an open engine and what is on the stage. */
function whenOpen<F extends NamedFile>(state: State<F>): Step<F> {
  const { engine, stage, sourceWish, engineWish } = state;
  if (engine.kind !== "open") return [state, []];
  if (stage.kind === "camera" && stage.phase === "open" && !stage.isSilent) {
    return [state, [{ do: "begin-live", wish: engineWish }]];
  }
  if (stage.kind === "video" && stage.phase === "waiting") {
    const next: State<F> = { ...state, stage: { ...stage, phase: "reading" } };
    return [next, [{ do: "read-video", file: stage.file, wish: sourceWish }]];
  }
  if (stage.kind === "photos") return [state, nextPhoto(state)];
  return [state, []];
}

function engineProgress<F extends NamedFile>(state: State<F>, loaded: number, total: number): Step<F> {
  if (state.engine.kind !== "opening") return [state, []];
  return [{ ...state, engine: { ...state.engine, loaded, total } }, []];
}

function engineOpen<F extends NamedFile>(state: State<F>, description: string, warning: string): Step<F> {
  const attempt = state.engine.kind === "opening" ? state.engine.attempt : 0;
  return whenOpen({ ...state, engine: { kind: "open", description, warning, attempt } });
}

function engineFailed<F extends NamedFile>(state: State<F>, problem: Problem): Step<F> {
  // After a connection that worked, a server that does not answer may come back.
  if (state.engine.kind === "opening" && state.engine.attempt > 0) return engineLost(state);
  const next: State<F> = { ...state, engine: { kind: "closed" } };
  // Nobody has asked for anything yet: it is told when they do.
  if (state.stage.kind === "welcome") return [next, []];
  return [{ ...next, problem }, interrupted(state, whyNothing(state.mode))];
}

/** Why nothing is recorded where nothing recognises. */
function whyNothing(mode: Mode): GapReason {
  return mode === "server" ? "connection" : "recognition";
}

function engineBroken<F extends NamedFile>(state: State<F>): Step<F> {
  const { engine, stage } = state;
  // Several may tell of one, when the next is being opened already.
  if (engine.kind !== "open") return [state, []];
  const next: State<F> = { ...state, engine: { kind: "closed" } };
  // A camera from which it gets nothing has nothing to fail at, and waits for it.
  const isIdle =
    stage.kind === "camera" && (stage.phase === "opening" || stage.phase === "asleep" || stage.isSilent);
  return isIdle ? withEngine(next, []) : [next, []];
}

/** What must be done where nothing recognises any more, unless there is nothing to recognise anyway. */
function interrupted<F extends NamedFile>({ stage }: State<F>, gap: GapReason): Effect<F>[] {
  if (stage.kind !== "camera" || stage.isSilent) return [];
  return stage.phase === "paused" || stage.phase === "asleep" ? [] : [{ do: "stop-live", gap }];
}

function engineLost<F extends NamedFile>(state: State<F>): Step<F> {
  const { engine } = state;
  const attempt = (engine.kind === "closed" ? 0 : engine.attempt) + 1;
  const ms = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LONGEST_RETRY_MS);
  const next: State<F> = { ...state, engine: { kind: "lost", attempt } };
  const { engineWish: wish } = state;
  return [next, [...interrupted(state, "connection"), { do: "retry-in", ms, wish }]];
}

function worksAgain<F extends NamedFile>(state: State<F>): Step<F> {
  if (state.engine.kind !== "open" || state.engine.attempt === 0) return [state, []];
  return [{ ...state, engine: { ...state.engine, attempt: 0 } }, []];
}

function stopLoading<F extends NamedFile>(state: State<F>): Step<F> {
  if (state.engine.kind !== "opening") return [state, []];
  const problem: Problem = { text: "Loading was stopped.", remedies: ["retry"] };
  const { engineWish } = state;
  const next: State<F> = { ...state, engineWish: engineWish + 1, engine: { kind: "closed" }, problem };
  return [next, [{ do: "close-engine" }]];
}

/** Another place, or another reading of the network. */
function recogniseAnew<F extends NamedFile>(state: State<F>, mode: Mode): Step<F> {
  const next: State<F> = {
    ...state,
    mode,
    engine: { kind: "closed" },
    engineWish: state.engineWish + 1,
    problem: null,
    stage: again(state.stage),
    // What the other place still says of videos and photos does not count any more.
    sourceWish: state.stage.kind === "camera" ? state.sourceWish : state.sourceWish + 1,
  };
  return withEngine(next, [{ do: "stop-live", gap: null }, { do: "close-engine" }]);
}

/** What failed is tried once more; what is done stays as it is. */
function unfinished<F extends NamedFile>(stage: Stage<F>): Stage<F> {
  if (stage.kind === "video") return stage.phase === "failed" ? again(stage) : stage;
  if (stage.kind !== "photos") return stage;
  const photos = stage.photos.map((photo): Photo<F> =>
    photo.phase === "failed" ? { ...photo, phase: "waiting" } : photo,
  );
  return { ...stage, photos };
}

/** Videos and photos are recognised once more in another place. */
function again<F extends NamedFile>(stage: Stage<F>): Stage<F> {
  if (stage.kind === "video") return { ...stage, phase: "waiting", done: 0, total: null, warning: null };
  if (stage.kind !== "photos") return stage;
  const photos = stage.photos.map((photo): Photo<F> => ({ ...photo, phase: "waiting" }));
  return { ...stage, photos };
}

function remedy<F extends NamedFile>(state: State<F>, chosen: Remedy): Step<F> {
  const calm: State<F> = { ...state, problem: null };
  switch (chosen) {
    case "start-camera":
      return startCamera(calm);
    case "open-file":
      return [calm, [{ do: "pick-files" }]];
    case "save-report":
      return [calm, [{ do: "save-report" }]];
    case "greet":
      return [calm, [{ do: "greet" }]];
    case "new-record":
      return [calm, [{ do: "clear-record" }]];
    case "use-device":
      return state.mode === "device" ? [calm, []] : recogniseAnew(calm, "device");
    case "use-server":
      return state.mode === "server" ? [calm, []] : recogniseAnew(calm, "server");
    case "retry":
      return withEngine({ ...calm, stage: unfinished(state.stage) }, []);
  }
}

// --- Videos and photos ---

function sourceFailed<F extends NamedFile>(state: State<F>, problem: Problem): Step<F> {
  const { stage } = state;
  if (stage.kind === "video") {
    return [{ ...state, problem, stage: { ...stage, phase: "failed" } }, []];
  }
  const next: State<F> = { ...state, problem, sourceWish: state.sourceWish + 1, stage: { kind: "welcome" } };
  return [next, leave(state)];
}

function videoProgress<F extends NamedFile>(state: State<F>, done: number, total: number | null): Step<F> {
  if (state.stage.kind !== "video") return [state, []];
  return [{ ...state, stage: { ...state.stage, done, total } }, []];
}

function videoRead<F extends NamedFile>(state: State<F>, done: number, warning: string | null): Step<F> {
  const { stage } = state;
  if (stage.kind !== "video") return [state, []];
  return [{ ...state, stage: { ...stage, phase: "read", done, warning } }, []];
}

function photoProgress<F extends NamedFile>(state: State<F>, done: number, total: number): Step<F> {
  if (state.stage.kind !== "photos") return [state, []];
  return [{ ...state, stage: { ...state.stage, done, total } }, []];
}

function photoDone<F extends NamedFile>(state: State<F>, index: number, problem: Problem | null): Step<F> {
  const { stage } = state;
  if (stage.kind !== "photos") return [state, []];
  const photos = stage.photos.map((photo, i): Photo<F> =>
    i === index ? { ...photo, phase: problem ? "failed" : "done" } : photo,
  );
  const next: State<F> = {
    ...state,
    stage: { ...stage, photos, done: 0, total: 0 },
    problem: problem ?? state.problem,
  };
  const effects = nextPhoto(next);
  // Where one photo broke what recognises, the others get another one.
  return effects.length > 0 ? withEngine(next, []) : [next, []];
}

/** The photo that is looked at goes first. */
function nextPhoto<F extends NamedFile>({ stage, sourceWish: wish }: State<F>): Effect<F>[] {
  if (stage.kind !== "photos") return [];
  const isWaiting = (index: number) => stage.photos[index]?.phase === "waiting";
  const index = isWaiting(stage.chosen) ? stage.chosen : stage.photos.findIndex((_, i) => isWaiting(i));
  if (index < 0) return [];
  return [{ do: "recognise-photo", file: stage.photos[index]!.file, index, wish }];
}
