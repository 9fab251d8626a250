// Shows the state: which parts of the page there are to see, and what they say.

import type { State } from "../machine";
import type { Problem } from "../machine";
import type { Page } from "../page";
import type { ModelInfo } from "../readings";
import { rowsBetween } from "../record/record";
import { decodePhoto } from "../sources/photo";
import type { FaceRecord, Mode, Remedy } from "../types";
import { Announcer } from "./announcer";
import { Chart, clock, liveSpan } from "./chart";
import { byId } from "./elements";
import { keepFocus } from "./focus";
import { announcementOf } from "./look";
import { People, Verdict } from "./panels";
import type { Screen } from "./screen";
import { badgeOf, countOf, loadingOf, recordNoteOf, statusOf, steadyingNote, wordsOf } from "./words";

const PANELS_EVERY_MS = 80;
const CHART_EVERY_MS = 200;
const CHART_MS = 60_000;

const REMEDIES: Readonly<Record<Remedy, string>> = {
  "start-camera": "Start camera",
  "open-file": "Open a file",
  "use-device": "Recognise on this device",
  "use-server": "Recognise on the server",
  retry: "Try again",
  "save-report": "Try again",
  greet: "Try again",
  "new-record": "New record",
};

export class Presenter {
  readonly #verdict = new Verdict(
    ...[byId("verdict"), byId("verdict-face"), byId("who"), byId("why"), byId("bars")] as const,
  );
  readonly #people = new People(byId("people"), (face) => this.focusOn(face));
  readonly #announcer = new Announcer((text) => setText("announcement", text));
  readonly #chart = new Chart(byId("chart"), byId("legend"), byId("hint"), (timeMs) => {
    if (this.page.video) this.screen.video.currentTime = timeMs / 1000;
  });
  readonly #thumbnails = new Map<File, HTMLButtonElement>();
  #isScheduled = false;
  #shown: State | null = null;
  #panelsMs = -Infinity;
  #chartMs = -Infinity;
  #photoOnScreen: File | null = null;
  #problem: Problem | null = null;
  #pageDetector = true;
  #temporalReading: string | null = null;

  constructor(
    private readonly page: Page,
    private readonly screen: Screen,
    private readonly hasServer: boolean,
  ) {
    byId("places").hidden = !hasServer;
    byId("save-report").hidden = byId("report-note").hidden = !hasServer;
    byId("api").hidden = !hasServer;
    new ResizeObserver(() => this.invalidate()).observe(byId("screen"));
    // A paused player shows another time after it was set to it; one that plays is looked at all the time.
    for (const event of ["seeked", "play"]) screen.video.addEventListener(event, () => this.invalidate());
  }

  /** Something has changed: it is shown with the next frame of the browser. */
  invalidate(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => this.#show());
  }

  focusOn(face: FaceRecord): void {
    this.screen.focusOn(face);
    this.#panelsMs = this.#chartMs = -Infinity;
    this.invalidate();
  }

  showModel(model: ModelInfo): void {
    byId("model").textContent = `Network ${model.experiment}`;
    byId("model").title = `Model card; SHA-256 ${model.sha256}`;
    this.#pageDetector = model.page_detector !== null;
    this.#temporalReading = model.page_temporal?.reading ?? null;
    const options = Object.keys(model.readings).map(
      (name) => new Option(wordsOf(name), name, false, name === model.reading),
    );
    const readings = byId<HTMLSelectElement>("readings");
    readings.replaceChildren(...options);
    readings.parentElement!.hidden = options.length < 2;
    if (!this.#pageDetector) {
      const radio = byId("places").querySelector<HTMLInputElement>("[value=device]")!;
      radio.disabled = true;
      radio.parentElement!.title = "This server has no face detector for browsers.";
      if (this.hasServer) this.page.dispatch({ type: "set-mode", mode: "server" });
    }
    this.invalidate();
  }

  showCameras(cameras: readonly MediaDeviceInfo[]): void {
    const select = byId<HTMLSelectElement>("camera");
    const options = cameras.map((camera, index) => {
      return new Option(camera.label || `Camera ${index + 1}`, camera.deviceId);
    });
    select.replaceChildren(...options);
    const { srcObject } = this.screen.video;
    if (srcObject instanceof MediaStream) {
      select.value = srcObject.getVideoTracks()[0]?.getSettings().deviceId ?? "";
    }
    this.invalidate();
  }

  #show(): void {
    this.#isScheduled = false;
    const { state } = this.page;
    const nowMs = performance.now();
    const isLive = state.stage.kind === "camera" && state.stage.phase === "open";
    const isPlaying = state.stage.kind === "video" && state.stage.phase === "read" && this.page.canPlay;
    if (isPlaying) this.page.followPlayer();
    if (this.screen.draw(isLive ? this.page.nowMs : null)) this.page.speed.addDrawn(nowMs);
    // Results come faster than one can read; what was wished for is answered at once.
    if (state !== this.#shown || nowMs - this.#panelsMs >= PANELS_EVERY_MS) {
      this.#shown = state;
      this.#panelsMs = nowMs;
      const focused = document.activeElement;
      this.#showStage(state, nowMs);
      this.#showPanels(state, nowMs);
      keepFocus(focused, ["pause", "stop", "start"].map((id) => byId(id)));
    } else this.invalidate();
    const isMoving = (isLive && this.screen.result) || (isPlaying && !this.screen.video.paused);
    if (isMoving || this.screen.isFading) this.invalidate();
  }

  // --- The stage ---

  #showStage(state: State, nowMs: number): void {
    const { stage, mode } = state;
    document.body.dataset["stage"] = stage.kind;
    document.body.dataset["mode"] = mode;
    byId("welcome").hidden = stage.kind !== "welcome";
    byId("screen").hidden = stage.kind === "welcome";
    byId("promise").textContent = badgeOf(mode, this.#pageDetector);
    byId("pitch").textContent =
      mode === "device" ? "Reads expressions on your device." : "Reads expressions in faces.";
    byId("badge").textContent = badgeOf(mode, true);
    for (const radio of document.querySelectorAll<HTMLInputElement>("[name=mode]")) {
      radio.checked = radio.value === (mode satisfies Mode);
    }
    this.#showSteadying(state);
    this.#showTools(state);
    this.#showLoading(state);
    this.#showPlayer(state);
    this.#showStrip(state);
    if (state.problem !== this.#problem) this.#showProblem(state.problem);
    setText("status", statusOf(state, this.page.speed.words(nowMs), this.page.cameraSource?.gaps ?? []));
    setText("count", countOf(state));
    const figures = this.#figures(state, nowMs);
    byId("info").hidden = figures === "";
    setText("figures", figures);
  }

  /** The server chooses for itself; in a photo nothing moves. */
  #showSteadying({ mode, stage }: State): void {
    const choice = byId<HTMLSelectElement>("steadying");
    const temporal = this.#temporalReading;
    choice.parentElement!.hidden = temporal === null || mode === "server" || stage.kind === "photos";
    const isOverTime = !choice.parentElement!.hidden && choice.value === "network";
    const reading = byId<HTMLSelectElement>("readings").value;
    const note = steadyingNote(isOverTime, temporal ?? "", reading);
    byId("steadying-note").hidden = note === "";
    setText("steadying-note", note);
  }

  #showTools({ stage }: State): void {
    const isCamera = stage.kind === "camera";
    const isPaused = isCamera && stage.phase === "paused";
    const pause = byId("pause");
    pause.hidden = !isCamera || stage.phase === "opening";
    pause.setAttribute("aria-pressed", String(isPaused));
    pause.setAttribute("aria-label", isPaused ? "Go on" : "Pause");
    pause.querySelector("use")!.setAttribute("href", isPaused ? "#i-play" : "#i-pause");
    const cameras = byId<HTMLSelectElement>("camera").options.length;
    byId("flip").hidden = !isCamera || cameras < 2;
    byId("camera").hidden = !isCamera || cameras < 2;
    byId("mirror").hidden = !isCamera;
    byId("mirror").setAttribute("aria-pressed", String(this.page.isMirrored));
    byId("snapshot").hidden = !this.screen.hasPicture || (isCamera && stage.phase === "opening");
    byId("unshown").hidden = !this.screen.isUnshowable;
    byId("full").hidden = !document.fullscreenEnabled;
    byId("full").setAttribute("aria-pressed", String(document.fullscreenElement !== null));
    setLabel("stop", isCamera ? "Stop the camera" : "Close");
  }

  #showLoading(state: State): void {
    const text = loadingOf(state);
    byId("loading").hidden = text === "";
    setText("loading-text", text);
    const bar = byId<HTMLProgressElement>("loading-bar");
    const { engine } = state;
    if (engine.kind === "opening" && engine.total > 0 && engine.loaded < engine.total) {
      bar.max = engine.total;
      bar.value = engine.loaded;
    } else bar.removeAttribute("value");
    byId("loading-stop").hidden = engine.kind !== "opening";
  }

  #showPlayer({ stage }: State): void {
    const isRead = stage.kind === "video" && stage.phase === "read";
    byId("player").hidden = !isRead || !this.page.canPlay;
    const reading = byId<HTMLProgressElement>("reading");
    const isReading = stage.kind === "video" && stage.phase === "reading";
    const isSearching = stage.kind === "photos" && stage.total > 1;
    reading.hidden = !isReading && !isSearching;
    if ((stage.kind === "video" || stage.kind === "photos") && stage.total) {
      reading.max = stage.total;
      reading.value = stage.done;
    } else reading.removeAttribute("value");
    if (stage.kind !== "video" || !isRead) return;
    const { video } = this.screen;
    const scrubber = byId<HTMLInputElement>("scrubber");
    const duration = video.duration || 0;
    scrubber.max = String(duration);
    if (document.activeElement !== scrubber || !video.paused) scrubber.value = String(video.currentTime);
    scrubber.setAttribute("aria-valuetext", clock(video.currentTime * 1000));
    setText("clock", `${clock(video.currentTime * 1000)} / ${clock(duration * 1000)}`);
    setLabel("play", video.paused ? "Play" : "Pause");
    byId("play").querySelector("use")!.setAttribute("href", video.paused ? "#i-play" : "#i-pause");
  }

  #showStrip({ stage }: State): void {
    const photos = stage.kind === "photos" ? stage.photos : [];
    const strip = byId("strip");
    strip.hidden = photos.length < 2;
    const files = new Set(photos.map(({ file }) => file));
    for (const [file, button] of this.#thumbnails) {
      if (files.has(file)) continue;
      button.remove();
      URL.revokeObjectURL(button.querySelector("img")!.src);
      this.#thumbnails.delete(file);
    }
    photos.forEach(({ file, phase }, index) => {
      const button = this.#thumbnails.get(file) ?? this.#newThumbnail(file, index);
      button.setAttribute("aria-pressed", String(stage.kind === "photos" && stage.chosen === index));
      button.dataset["phase"] = phase;
      const faces = this.page.photoResult(file)?.faces.length;
      const found = phase === "failed" ? "not readable" : faces === undefined ? "waiting" : count(faces, "face");
      button.setAttribute("aria-label", `${file.name}: ${found}`);
    });
    if (stage.kind === "photos") this.#showPhoto(stage.photos[stage.chosen]!.file);
    else this.#photoOnScreen = null;
  }

  #newThumbnail(file: File, index: number): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    const image = document.createElement("img");
    image.alt = "";
    image.src = URL.createObjectURL(file);
    button.append(image);
    button.onclick = () => this.page.dispatch({ type: "choose-photo", index });
    byId("strip").append(button);
    this.#thumbnails.set(file, button);
    return button;
  }

  #showPhoto(file: File): void {
    if (this.#photoOnScreen !== file) {
      this.#photoOnScreen = file;
      this.screen.expectStill();
      decodePhoto(file).then(
        (picture) => {
          if (this.#photoOnScreen === file) this.screen.drawStill(picture);
          picture.close();
          this.invalidate();
        },
        // Whoever recognises it says what to do.
        () => {
          if (this.#photoOnScreen === file) this.screen.showNoStill();
          this.invalidate();
        },
      );
    }
    const isThere = this.screen.hasPicture || this.screen.isUnshowable;
    const result = isThere ? this.page.photoResult(file) : null;
    if (this.screen.result === result) return;
    this.screen.showFaces(result);
    this.invalidate();
  }

  // --- What is known ---

  #showPanels(state: State, nowMs: number): void {
    const { face, index } = this.screen.focus();
    const faces = this.screen.result?.faces ?? [];
    const { labels } = this.page;
    const isOver = state.stage.kind === "welcome" || labels.length === 0;
    byId("face").hidden = isOver || (this.screen.result === null && this.page.record.size === 0);
    if (!byId("face").hidden) this.#verdict.show(face, index, labels, this.screen.result !== null);
    this.#announce(state, face, index);
    byId("people").hidden = faces.length < 2;
    this.#people.show(faces, face);
    const { record } = this.page;
    byId("record").hidden = record.size === 0;
    setText("record-size", recordNoteOf(record));
    this.#showChart(state, face, nowMs);
  }

  /** The people who see no picture hear of the face in focus. */
  #announce({ stage }: State, face: FaceRecord | undefined, index: number): void {
    if (byId("face").hidden || !this.screen.result) return this.#announcer.tell("");
    const photo = stage.kind === "photos" ? `${stage.photos[stage.chosen]!.file.name}. ` : "";
    this.#announcer.tell(photo + announcementOf(face, index));
  }

  #showChart({ stage }: State, face: FaceRecord | undefined, nowMs: number): void {
    const { video, cameraSource, labels } = this.page;
    const source = stage.kind === "video" ? video?.source : stage.kind === "camera" ? cameraSource : null;
    byId("chart-panel").hidden = !source || source.rows.length === 0;
    if (!source || byId("chart-panel").hidden) return;
    if (nowMs - this.#chartMs < CHART_EVERY_MS) return this.invalidate();
    this.#chartMs = nowMs;
    const span = video
      ? { fromMs: 0, toMs: Math.max(video.durationMs, 1) }
      : liveSpan(0, this.page.nowMs, CHART_MS);
    const last = source.rows.at(-1)!;
    const trackId = face?.track_id ?? last.track_id;
    const rows = thinned(rowsBetween(source.rows, trackId, span.fromMs, span.toMs));
    setText("chart-title", video ? "The whole video" : "The last minute");
    const isRead = stage.kind === "video" && stage.phase === "read";
    const cursorMs = isRead && this.page.canPlay ? this.screen.video.currentTime * 1000 : null;
    this.#chart.show({ rows, span, labels, cursorMs });
  }

  #figures({ engine, stage }: State, nowMs: number): string {
    if (engine.kind !== "open" || stage.kind === "welcome") return "";
    const warning = engine.warning ? ` ${engine.warning}` : "";
    const speed = stage.kind === "camera" ? ` ${this.page.speed.figures(nowMs)}.` : "";
    return `Runs on ${engine.description}.${speed}${warning}`;
  }

  #showProblem(problem: Problem | null): void {
    this.#problem = problem;
    byId("message").hidden = problem === null;
    setText("message-text", problem?.text ?? "");
    const remedies = (problem?.remedies ?? []).filter((remedy) => this.#helps(remedy));
    const buttons = remedies.map((remedy) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = REMEDIES[remedy];
      button.onclick = () => this.page.dispatch({ type: "remedy", remedy });
      return button;
    });
    byId("remedies").replaceChildren(...buttons);
  }

  #helps(remedy: Remedy): boolean {
    const { mode } = this.page.state;
    if (remedy === "use-server") return this.hasServer && mode !== "server";
    if (remedy === "use-device") return this.#pageDetector && mode !== "device";
    return true;
  }
}

/** More rows than there are pixels are drawn for nothing. */
function thinned(rows: FaceRecord[]): FaceRecord[] {
  const every = Math.ceil(rows.length / 800);
  return every < 2 ? rows : rows.filter((_, i) => i % every === 0);
}

function count(number: number, noun: string): string {
  return `${number === 0 ? "no" : number} ${noun}${number === 1 ? "" : "s"}`;
}

// Writing what is there already would make screen readers say it again.
function setText(id: string, text: string): void {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

function setLabel(id: string, label: string): void {
  const element = byId(id);
  if (element.getAttribute("aria-label") !== label) element.setAttribute("aria-label", label);
}
