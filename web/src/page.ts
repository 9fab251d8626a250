// Does what the state machine wants done, and tells it what came of it.

import type { Engines } from "./engines";
import { Live } from "./live";
import { type Effect, type Event, initialState, type Problem, type State, step } from "./machine";
import { Identities } from "./record/identities";
import { beginGap, endGap, FaceLog, facesAt, type GapReason, type Source } from "./record/record";
import { ConnectionLost, ServerRecogniser } from "./recognisers/server";
import { type Camera, isFrontCamera, NoCamera, openCamera } from "./sources/camera";
import { openClip } from "./sources/clip";
import { canPlay } from "./sources/player";
import { Speed } from "./speed";
import { type Mode, type Recogniser, type Result, UserError } from "./types";
import type { Screen } from "./view/screen";

// So many frames of a video may be under way: while one is recognised, others are decoded.
const FRAMES_AHEAD = 3;
// Of the frames that are read, so many are shown: drawing them all would hold up reading.
const SHOWN_EVERY_MS = 80;

/** A video, while it is read and afterwards. */
export interface ReadVideo {
  readonly source: Source;
  readonly durationMs: number;
  readonly frameCount: number;
  /** What is missing of it, though it could be read. */
  readonly warning: string | null;
}

/** What is done for the page elsewhere, when somebody presses the button of a message. */
export interface Elsewhere {
  pickFiles(): void;
  saveReport(): void;
  greet(): void;
}

export class Page {
  state: State;
  readonly record = new FaceLog();
  readonly speed = new Speed();
  /** The network's labels, once they are known. */
  labels: readonly string[] = [];
  camera: Camera = { deviceId: "", facing: "user" };
  isMirrored = false;
  video: ReadVideo | null = null;
  /** Whether the video that is open cannot be played, though it could be read. */
  canPlay = true;

  // What the record holds of the video that is open.
  #known: Source | null = null;
  readonly #live: Live;
  readonly #identities = new Identities();
  readonly #photos = new Map<File, { source: Source; result: Result | null }>();
  readonly #samples = new WeakSet<File>();
  #recogniser: Recogniser | null = null;
  #cameraSource: Source | null = null;
  #cameraStartedMs = 0;
  // When the recogniser of the camera was last heard of; null while none is at work.
  #heardMs: number | null = null;
  #beginning = new AbortController();
  // The wish whose camera is followed: after another, there are other people.
  #followedWish: number | null = null;
  #reading = new AbortController();
  #wakeLock: Promise<WakeLockSentinel> | null = null;

  constructor(
    private readonly engines: Engines,
    private readonly screen: Screen,
    /** Called when the state has changed, or what is shown of a face. */
    private readonly changed: () => void,
    private readonly elsewhere: Elsewhere,
    mode: Mode,
  ) {
    this.state = initialState(mode);
    this.#live = new Live(screen.video, () => this.nowMs, {
      result: (result, latencyMs) => this.#showLive(result, latencyMs),
      failed: (error) => this.#liveFailed(error),
    });
  }

  /** Time in the camera's record, in milliseconds. */
  get nowMs(): number {
    return performance.now() - this.#cameraStartedMs;
  }

  get cameraSource(): Source | null {
    return this.#cameraSource;
  }

  dispatch(event: Event): void {
    const [state, effects] = step(this.state, event);
    this.state = state;
    for (const effect of effects) this.#do(effect);
    this.#keepAwake();
    this.changed();
  }

  /** Marks a file as one of ours: its rows need not be saved. */
  openSample(file: File): void {
    this.#samples.add(file);
    this.dispatch({ type: "open-files", files: [file] });
  }

  /** The result of a photo, once it is there. */
  photoResult(file: File): Result | null {
    return this.#photos.get(file)?.result ?? null;
  }

  clearRecord(): void {
    this.record.clear();
    this.#cameraSource = null;
    this.#photos.clear();
    this.video = null;
    this.#known = null;
    this.dispatch({ type: "stop" });
  }

  /** Lets the boxes follow the player of a video that was read. */
  followPlayer(): void {
    const { stage } = this.state;
    const isRead = stage.kind === "video" && stage.phase === "read";
    if (!this.video || !isRead || this.screen.video.hidden) return;
    const { source, durationMs, frameCount } = this.video;
    const withinMs = (1.5 * durationMs) / Math.max(frameCount, 1);
    const { video } = this.screen;
    const faces = facesAt(source.rows, video.currentTime * 1000 + 1, withinMs);
    this.screen.showFaces({ width: video.videoWidth, height: video.videoHeight, faces });
  }

  #do(effect: Effect): void {
    switch (effect.do) {
      case "open-camera":
        return void this.#openCamera(effect.wish);
      case "close-source":
        return this.#closeSource();
      case "open-engine":
        return void this.#openEngine(effect.mode, effect.wish);
      case "close-engine":
        this.#reading.abort();
        this.#recogniser = null;
        return this.engines.close();
      case "begin-live":
        return void this.#beginLive(effect.wish);
      case "stop-live":
        return this.#stopLive(effect.gap);
      case "read-video":
        return void this.#readVideo(effect.file, effect.wish);
      case "recognise-photo":
        return void this.#recognisePhoto(effect.file, effect.index, effect.wish);
      case "retry-in":
        return void setTimeout(() => this.dispatch({ type: "retry-due", wish: effect.wish }), effect.ms);
      case "pick-files":
        return this.elsewhere.pickFiles();
      case "save-report":
        return this.elsewhere.saveReport();
      case "greet":
        return this.elsewhere.greet();
      case "clear-record":
        return this.clearRecord();
    }
  }

  // --- What recognises ---

  async #openEngine(mode: Mode, wish: number): Promise<void> {
    try {
      const recogniser = await this.engines.open(mode, (loaded, total) =>
        this.dispatch({ type: "engine-progress", wish, loaded, total }),
      );
      this.labels = await this.engines.labels();
      if (wish === this.state.engineWish) this.#recogniser = recogniser;
      const { description, warning } = recogniser;
      this.dispatch({ type: "engine-open", wish, description, warning });
    } catch (error) {
      this.dispatch({ type: "engine-failed", wish, problem: problemOf(error) });
    }
  }

  async #beginLive(wish: number): Promise<void> {
    const recogniser = this.#recogniser!;
    const { signal } = (this.#beginning = new AbortController());
    try {
      await recogniser.begin(true);
    } catch (error) {
      if (!signal.aborted) this.#engineFailed(error, wish);
      return;
    }
    const { stage } = this.state;
    if (signal.aborted || stage.kind !== "camera" || stage.phase !== "open") return;
    if (!this.#cameraSource) {
      this.#cameraSource = this.record.begin("camera");
      this.#cameraStartedMs = performance.now();
    }
    endGap(this.#cameraSource, this.nowMs);
    const { sourceWish } = this.state;
    this.#identities.restart(sourceWish === this.#followedWish);
    this.#followedWish = sourceWish;
    this.speed.clear();
    this.#heardMs = this.nowMs;
    this.#live.start(recogniser);
  }

  #stopLive(gap: GapReason | null): void {
    this.#beginning.abort();
    this.#live.stop();
    // What fails by itself is known to have failed only some time after the last that came of it.
    const isWanted = gap === "paused" || gap === "hidden";
    const startMs = isWanted ? this.nowMs : (this.#heardMs ?? this.nowMs);
    this.#heardMs = null;
    if (this.#cameraSource && gap) beginGap(this.#cameraSource, gap, startMs);
    if (gap === "paused") this.screen.video.pause();
    else this.screen.clear();
    // The server ends a stream that is silent.
    if (this.#recogniser instanceof ServerRecogniser) this.#recogniser.disconnect();
  }

  #liveFailed(error: unknown): void {
    this.#engineFailed(error, this.state.engineWish);
  }

  #engineFailed(error: unknown, wish: number): void {
    if (error instanceof ConnectionLost) this.dispatch({ type: "engine-lost", wish });
    else this.dispatch({ type: "engine-failed", wish, problem: problemOf(error) });
  }

  #showLive(result: Result, latencyMs: number): void {
    const { stage, engineWish } = this.state;
    if (stage.kind !== "camera") return;
    this.#heardMs = this.nowMs;
    this.speed.addResult(performance.now(), latencyMs);
    const faces = this.#identities.renumber(result.faces);
    this.record.add(this.#cameraSource!, faces);
    this.screen.showLive({ ...result, faces });
    if (this.state.engine.kind === "open" && this.state.engine.attempt > 0) {
      this.dispatch({ type: "live-result", wish: engineWish });
    }
    this.changed();
  }

  // --- What is to be seen ---

  async #openCamera(wish: number): Promise<void> {
    try {
      const stream = await this.#chosenCamera(wish);
      if (wish !== this.state.sourceWish) return stopStream(stream);
      const { video } = this.screen;
      const [track] = stream.getVideoTracks();
      track!.onended = () => this.#cameraLost(wish);
      track!.onmute = () => this.dispatch({ type: "camera-silence", wish, isSilent: true });
      track!.onunmute = () => this.#cameraBack(wish);
      if (track!.muted) this.dispatch({ type: "camera-silence", wish, isSilent: true });
      video.srcObject = stream;
      this.isMirrored = isFrontCamera(stream);
      this.screen.showVideo();
      this.screen.setMirrored(this.isMirrored);
      await video.play();
      this.dispatch({ type: "camera-open", wish });
    } catch (error) {
      this.dispatch({ type: "source-failed", wish, problem: problemOf(error) });
    }
  }

  /** The camera that was chosen; where it is gone, any other. */
  async #chosenCamera(wish: number): Promise<MediaStream> {
    try {
      return await openCamera(this.camera);
    } catch (error) {
      const isGone = error instanceof NoCamera && this.camera.deviceId !== "";
      if (!isGone || wish !== this.state.sourceWish) throw error;
      this.camera = { ...this.camera, deviceId: "" };
      return openCamera(this.camera);
    }
  }

  #cameraBack(wish: number): void {
    if (wish !== this.state.sourceWish) return;
    this.dispatch({ type: "camera-silence", wish, isSilent: false });
    const { stage } = this.state;
    // A phone pauses the player as well.
    if (stage.kind === "camera" && stage.phase !== "paused") void this.screen.video.play();
  }

  #cameraLost(wish: number): void {
    const error = new UserError("The camera was disconnected.", "Connect it and start again.", [
      "start-camera",
    ]);
    this.dispatch({ type: "source-failed", wish, problem: problemOf(error) });
  }

  #closeSource(): void {
    this.#reading.abort();
    // What is not even wanted is not missing.
    if (this.#cameraSource) endGap(this.#cameraSource, this.nowMs);
    const { video } = this.screen;
    if (video.srcObject instanceof MediaStream) stopStream(video.srcObject);
    video.srcObject = null;
    if (video.src) {
      URL.revokeObjectURL(video.src);
      video.removeAttribute("src");
      video.load();
    }
    this.video = null;
    this.#known = null;
    this.screen.setMirrored(false);
    this.screen.expectStill();
  }

  async #readVideo(file: File, wish: number): Promise<void> {
    this.#reading.abort();
    const reading = (this.#reading = new AbortController());
    const { video } = this.screen;
    this.video = null;
    this.screen.expectStill();
    const source = this.record.begin(file.name, this.#samples.has(file));
    // What is known of it already is kept until all is known again.
    const before = this.#known;
    this.#known ??= source;
    // The address of the reading before this one.
    if (video.src) URL.revokeObjectURL(video.src);
    video.src = URL.createObjectURL(file);
    try {
      this.canPlay = await canPlay(video, reading.signal);
      const read = await (this.#recogniser instanceof ServerRecogniser
        ? this.#readOnServer(this.#recogniser, file, source, wish, reading.signal)
        : this.#readHere(file, source, wish, reading.signal));
      reading.signal.throwIfAborted();
      if (before) this.record.replace(before, source);
      this.#known = source;
      this.video = read;
      if (this.canPlay) this.screen.showVideo();
      this.dispatch({ type: "video-read", wish, done: read.frameCount, warning: read.warning });
    } catch (error) {
      const isStopped = reading.signal.aborted;
      // What was read until it was stopped stays in the record, where nothing else of it is there.
      if (!isStopped || before || source.rows.length === 0) this.record.remove(source);
      this.#tellIfBroken();
      if (isStopped) return;
      // Frames that are still under way are not to come into the record any more.
      reading.abort();
      if (this.#known === source) this.#known = null;
      this.video = null;
      this.dispatch({ type: "source-failed", wish, problem: problemOf(error) });
    }
  }

  async #readHere(file: File, source: Source, wish: number, signal: AbortSignal): Promise<ReadVideo> {
    const recogniser = this.#recogniser!;
    const clip = await openClip(file, this.canPlay ? this.screen.video : null, signal);
    try {
      signal.throwIfAborted();
      await recogniser.begin(false);
      signal.throwIfAborted();
      this.#identities.restart(false);
      const { durationMs, frameCount } = clip;
      this.video = { source, durationMs, frameCount, warning: null };
      const underWay: Promise<void>[] = [];
      let [frames, shownMs] = [0, 0];
      for await (const { picture, timestampMs } of clip.frames()) {
        if (signal.aborted) picture.close();
        signal.throwIfAborted();
        const isShown = performance.now() - shownMs > SHOWN_EVERY_MS;
        if (isShown) {
          shownMs = performance.now();
          this.screen.drawStill(picture);
        }
        underWay.push(
          recogniser.recogniseFrame(picture, frames++, timestampMs).then((result) => {
            if (signal.aborted) return;
            const faces = this.#identities.renumber(result!.faces);
            this.record.add(source, faces);
            if (!isShown) return;
            this.screen.showFaces({ ...result!, faces });
            const { frames: done } = source;
            this.dispatch({ type: "video-progress", wish, done, total: clip.frameCount });
          }),
        );
        if (underWay.length > FRAMES_AHEAD) await underWay.shift();
      }
      await Promise.all(underWay);
      return { source, durationMs: clip.durationMs, frameCount: frames, warning: null };
    } finally {
      clip.close();
    }
  }

  async #readOnServer(
    recogniser: ServerRecogniser,
    file: File,
    source: Source,
    wish: number,
    signal: AbortSignal,
  ): Promise<ReadVideo> {
    if (this.canPlay) this.screen.showVideo();
    else this.screen.showNoStill();
    this.changed();
    const progress = (done: number, total: number | null) =>
      this.dispatch({ type: "video-progress", wish, done, total });
    const { faces, frames, warning } = await recogniser.recogniseVideo(file, progress, signal);
    signal.throwIfAborted();
    this.#identities.restart(false);
    this.record.add(source, this.#identities.renumber(faces));
    source.frames = frames;
    const lastMs = faces.at(-1)?.timestamp_ms ?? 0;
    const { duration } = this.screen.video;
    return { source, durationMs: duration ? duration * 1000 : lastMs, frameCount: frames, warning };
  }

  async #recognisePhoto(file: File, index: number, wish: number): Promise<void> {
    this.#reading.abort();
    const { signal } = (this.#reading = new AbortController());
    const progress = (done: number, total: number) =>
      this.dispatch({ type: "photo-progress", wish, done, total });
    try {
      const result = await this.#recogniser!.recognisePhoto(file, progress, signal);
      if (wish !== this.state.sourceWish) return;
      const known = this.#photos.get(file);
      const source = known?.source ?? this.record.begin(file.name, this.#samples.has(file));
      this.record.empty(source);
      this.record.add(source, result.faces);
      this.#photos.set(file, { source, result });
      this.dispatch({ type: "photo-done", wish, index, problem: null });
    } catch (error) {
      this.#tellIfBroken();
      if (signal.aborted) return;
      this.dispatch({ type: "photo-done", wish, index, problem: problemOf(error) });
    }
  }

  /** Says that what recognises has to be opened again, if a video or a photo broke it. */
  #tellIfBroken(): void {
    const { engineWish: wish } = this.state;
    if (this.#recogniser?.isBroken) this.dispatch({ type: "engine-broken", wish });
  }

  /** While there is something to watch, the screen stays on. */
  #keepAwake(): void {
    const { stage } = this.state;
    const isBusy =
      (stage.kind === "camera" && stage.phase === "open") ||
      (stage.kind === "video" && stage.phase === "reading");
    if (isBusy && !this.#wakeLock && "wakeLock" in navigator) {
      const wanted = (this.#wakeLock = navigator.wakeLock.request("screen"));
      const forget = () => {
        if (this.#wakeLock === wanted) this.#wakeLock = null;
      };
      // A battery that is low may refuse it; and the browser takes it from a hidden tab.
      wanted.then((lock) => lock.addEventListener("release", forget), forget);
    } else if (!isBusy && this.#wakeLock) {
      void this.#wakeLock.then((lock) => lock.release()).catch(() => {});
      this.#wakeLock = null;
    }
  }
}

/** An error in words for the user. */
export function problemOf(error: unknown): Problem {
  if (error instanceof UserError) {
    return { text: `${error.message} ${error.advice}`.trim(), remedies: error.remedies };
  }
  console.error(error);
  const text = error instanceof Error ? error.message : String(error);
  return { text: `Something went wrong: ${text}`, remedies: ["retry"] };
}

function stopStream(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
