// The page: its buttons, what they do, and what is shown of the results.

import { Api } from "./api";
import { Live } from "./live";
import { DeviceRecogniser } from "./recognisers/device";
import { ServerRecogniser } from "./recognisers/server";
import { fileName, save, Session } from "./session";
import { decodePhoto, listCameras, openCamera } from "./sources";
import { Speed } from "./speed";
import { askToken } from "./token";
import { type FaceRecord, type ModelInfo, type Recogniser, type Result, UserError } from "./types";
import { Chart } from "./view/chart";
import { Motion } from "./view/motion";
import { drawFaces, Overlay } from "./view/overlay";
import { Bars, People } from "./view/panels";

type Mode = "device" | "server";
type Source = "none" | "camera" | "video" | "photo";

const PRIVACY: Readonly<Record<Mode, string>> = {
  device:
    "Pictures stay on this device: the page recognises them itself. From the server it fetches " +
    "only its own files and the networks.",
  server:
    "Pictures are sent to the server that this page came from. It recognises them in memory, " +
    "answers, and keeps and logs none.",
};
const STATUS_EVERY_MS = 500;
const CHART_EVERY_MS = 200;

const element = <E extends Element>(selector: string): E => {
  const found = document.querySelector<E>(selector);
  if (!found) throw new Error(`The page has no ${selector}.`);
  return found;
};

const video = element<HTMLVideoElement>("#video");
const photo = element<HTMLCanvasElement>("#photo");
const screenArea = element<HTMLElement>("#screen");
const invitation = element<HTMLElement>("#invitation");
const message = element<HTMLElement>("#message");
const startButton = element<HTMLButtonElement>("#start");
const pauseButton = element<HTMLButtonElement>("#pause");
const snapshotButton = element<HTMLButtonElement>("#snapshot");
const fileInput = element<HTMLInputElement>("#file");
const cameraSelect = element<HTMLSelectElement>("#camera");
const statusLine = element<HTMLElement>("#status");

const api = new Api(askToken);
const overlay = new Overlay(element("#overlay"));
const bars = new Bars(element("#bars"), element("#verdict"), element("#face-title"));
const people = new People(element("#people"), focusOn);
const chart = new Chart(element("#chart"));
const live = new Live(video, { result: showLive, failed: liveFailed, frameShown: moveBoxes });
const speeds: Record<Mode, Speed> = { device: new Speed(), server: new Speed() };
const recognisers: Partial<Record<Mode, Promise<Recogniser>>> = {};

let model: Promise<ModelInfo> | null = null;
let mode: Mode = "device";
let source: Source = "none";
let session = new Session();
let motion = new Motion();
let shown: Result | null = null;
let focusId = 0;
let photoFile: Blob | null = null;
let chartDrawnMs = 0;
let statusShownMs = 0;

// --- The networks ---

function modelInfo(): Promise<ModelInfo> {
  model ??= api.model().catch((error: unknown) => {
    model = null;
    throw error;
  });
  return model;
}

function recogniser(): Promise<Recogniser> {
  const wanted = mode;
  recognisers[wanted] ??= open(wanted).catch((error: unknown) => {
    delete recognisers[wanted];
    throw error;
  });
  return recognisers[wanted];
}

async function open(wanted: Mode): Promise<Recogniser> {
  const info = await modelInfo();
  if (wanted === "server") return new ServerRecogniser(api, info);
  tell("Loading the networks …");
  return DeviceRecogniser.open(api, info);
}

/** Opens the chosen recogniser and begins a live session with it. */
async function beginLive(): Promise<Recogniser> {
  const chosen = await recogniser();
  await chosen.begin();
  session.beginTracks();
  return chosen;
}

// --- Sources ---

async function startCamera(): Promise<void> {
  stop();
  startButton.disabled = true;
  tell("Opening the camera …");
  try {
    const stream = await openCamera(cameraSelect.value);
    stream.getVideoTracks()[0]!.onended = () => {
      if (video.srcObject !== stream) return;
      stop();
      complain(new UserError("The camera was disconnected.", "Connect it and start again."));
    };
    video.srcObject = stream;
    await play("camera");
    await showCameras();
  } catch (error) {
    stop();
    complain(error);
  } finally {
    startButton.disabled = false;
  }
}

async function openFile(file: File): Promise<void> {
  stop();
  try {
    if (file.type.startsWith("video/")) {
      video.srcObject = null;
      video.src = URL.createObjectURL(file);
      await play("video");
    } else {
      await showPhoto(file);
    }
  } catch (error) {
    stop();
    complain(error);
  }
}

async function play(kind: Source): Promise<void> {
  try {
    await video.play();
  } catch (error) {
    if (kind === "camera") throw error;
    throw new UserError(
      "This video cannot be played by the browser.",
      "Open an MP4 (H.264) or WebM video, or send it to the API.",
    );
  }
  session = new Session();
  motion = new Motion();
  setSource(kind);
  const chosen = await beginLive();
  live.start(chosen);
  tell(`Running on ${chosen.description}.`);
}

async function showPhoto(file: Blob): Promise<void> {
  const picture = await decodePhoto(file);
  photo.width = picture.width;
  photo.height = picture.height;
  photo.getContext("2d")!.drawImage(picture, 0, 0);
  session = new Session();
  photoFile = file;
  setSource("photo");
  await recognisePhoto(file, picture);
}

async function recognisePhoto(file: Blob, picture: ImageBitmap): Promise<void> {
  const chosen = await recogniser();
  tell("Recognising …");
  const startedMs = performance.now();
  const result = await chosen.recognisePhoto(file, picture);
  if (photoFile !== file) return;
  session = new Session();
  focusId = 0;
  show(session.add(result));
  const count = result.faces.length;
  const faces = count === 1 ? "1 face" : `${count === 0 ? "No" : count} faces`;
  tell(`${faces}, ${Math.round(performance.now() - startedMs)} ms on ${chosen.description}.`);
}

function stop(): void {
  live.stop();
  live.paused = false;
  if (video.srcObject instanceof MediaStream) {
    for (const track of video.srcObject.getTracks()) track.stop();
  }
  video.srcObject = null;
  if (video.src) {
    URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
    video.load();
  }
  photoFile = null;
  closeServer();
  hideMessage();
  tell("Ready.");
  setSource("none");
  show(null);
}

/** Closes the stream to the server; opening another one is cheap. */
function closeServer(): void {
  void recognisers.server?.then((open) => open.close());
  delete recognisers.server;
}

function setSource(kind: Source): void {
  source = kind;
  const playing = kind === "camera" || kind === "video";
  startButton.textContent = kind === "camera" ? "Stop camera" : "Start camera";
  pauseButton.disabled = !playing;
  setPaused(false);
  snapshotButton.disabled = kind === "none";
  video.hidden = !playing;
  photo.hidden = kind !== "photo";
  invitation.hidden = kind !== "none";
}

function setPaused(paused: boolean): void {
  live.paused = paused;
  pauseButton.setAttribute("aria-pressed", String(paused));
  pauseButton.textContent = paused ? "Go on" : "Pause";
}

async function togglePause(): Promise<void> {
  const paused = !live.paused;
  setPaused(paused);
  speeds[mode].pause();
  if (paused) {
    video.pause();
    live.use(null);
    closeServer();
    tell("Paused.");
    return;
  }
  try {
    const chosen = await beginLive();
    live.use(chosen);
    await video.play();
    tell(`Running on ${chosen.description}.`);
  } catch (error) {
    complain(error);
  }
}

async function showCameras(): Promise<void> {
  const chosen = cameraSelect.value;
  const options = (await listCameras()).map((camera, index) => {
    const option = document.createElement("option");
    option.value = camera.deviceId;
    option.textContent = camera.label || `Camera ${index + 1}`;
    return option;
  });
  cameraSelect.replaceChildren(cameraSelect.options[0]!, ...options);
  cameraSelect.value = chosen;
}

async function setMode(wanted: Mode): Promise<void> {
  mode = wanted;
  element("#privacy").textContent = PRIVACY[wanted];
  hideMessage();
  if (wanted === "device") closeServer();
  try {
    if (source === "photo" && photoFile) {
      await recognisePhoto(photoFile, await decodePhoto(photoFile));
    } else if (source !== "none" && !live.paused) {
      live.use(null);
      speeds[wanted].pause();
      const opened = await beginLive();
      if (mode === wanted) {
        live.use(opened);
        tell(`Running on ${opened.description}.`);
      }
    }
  } catch (error) {
    complain(error);
  }
}

// --- What is shown ---

function showLive(result: Result, latencyMs: number): void {
  const nowMs = performance.now();
  speeds[mode].add(nowMs, latencyMs);
  const added = session.add(result);
  motion.add(added);
  show(added);
  if (nowMs - statusShownMs > STATUS_EVERY_MS) {
    statusShownMs = nowMs;
    element(`#speed-${mode}`).textContent = speeds[mode].toString() || "measuring …";
    if (session.isFull) tell("The record is full: save it, as its oldest rows make room for new ones.");
  }
}

function liveFailed(error: unknown): void {
  live.use(null);
  closeServer();
  complain(error);
}

function show(result: Result | null): void {
  shown = result;
  const faces = result?.faces ?? [];
  const focus = focused(faces);
  overlay.show(result, focus);
  bars.show(focus, focus ? faces.indexOf(focus) : 0);
  people.show(faces, focus);
  showRecord();
  drawChart(focus);
}

/** Lets the boxes follow the picture between two results. */
function moveBoxes(nowMs: number): void {
  if (!shown) return;
  const moved = motion.at(shown, nowMs);
  overlay.show(moved, focused(moved.faces));
}

/** The face that was chosen, else the largest. */
function focused(faces: readonly FaceRecord[]): FaceRecord | undefined {
  const chosen = faces.find((face, index) => focusKey(face, index) === focusId);
  if (chosen) return chosen;
  return faces.reduce<FaceRecord | undefined>(
    (best, face) => (best && area(best) >= area(face) ? best : face),
    undefined,
  );
}

function focusOn(face: FaceRecord): void {
  if (!shown) return;
  focusId = focusKey(face, shown.faces.indexOf(face));
  chartDrawnMs = 0;
  show(shown);
}

/** The person's number; in a photo, where nobody has one, the place in the list. */
function focusKey(face: FaceRecord, index: number): number {
  return face.track_id || -1 - index;
}

function area(face: FaceRecord): number {
  return face.width * face.height;
}

function drawChart(focus: FaceRecord | undefined): void {
  const nowMs = performance.now();
  const isLive = source === "camera" || source === "video";
  if (isLive && nowMs - chartDrawnMs < CHART_EVERY_MS) return;
  chartDrawnMs = nowMs;
  const trackId = focus?.track_id ?? focusId;
  chart.show(isLive ? session.lastMinute(trackId, live.nowMs) : [], live.nowMs);
}

function showRecord(): void {
  const { size } = session;
  element("#record-size").textContent =
    size === 0 ? "Nothing recorded yet." : `${size.toLocaleString("en")} rows, one per face and frame.`;
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-export]")) {
    button.disabled = size === 0;
  }
}

function tell(text: string): void {
  statusLine.textContent = text;
}

function complain(error: unknown): void {
  if (!(error instanceof UserError)) console.error(error);
  const text =
    error instanceof UserError
      ? `${error.message} ${error.advice}`
      : `Something went wrong: ${error instanceof Error ? error.message : String(error)}`;
  tell("");
  element("#message-text").textContent = text.trim();
  message.hidden = false;
}

function hideMessage(): void {
  message.hidden = true;
}

// --- Saving ---

function snapshot(): void {
  const playing = source !== "photo";
  const width = playing ? video.videoWidth : photo.width;
  const height = playing ? video.videoHeight : photo.height;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  context.drawImage(playing ? video : photo, 0, 0);
  if (shown && shown.width > 0) {
    drawFaces(context, shown, width / shown.width, Math.max(height / 540, 1), undefined);
  }
  canvas.toBlob((blob) => {
    if (blob) save(blob, fileName("png"));
  }, "image/png");
}

async function saveRecord(kind: string): Promise<void> {
  try {
    if (kind === "csv") save(new Blob([session.toCsv()], { type: "text/csv" }), fileName("csv"));
    if (kind === "json") {
      save(new Blob([session.toJson()], { type: "application/json" }), fileName("json"));
    }
    if (kind === "report") save(await api.postCsv("/v1/reports", session.toCsv()), fileName("html"));
  } catch (error) {
    complain(error);
  }
}

// --- Wiring ---

startButton.onclick = () => (source === "camera" ? stop() : void startCamera());
pauseButton.onclick = () => void togglePause();
snapshotButton.onclick = snapshot;
cameraSelect.onchange = () => void (source === "camera" && startCamera());
fileInput.onchange = () => {
  const file = fileInput.files?.[0];
  fileInput.value = "";
  if (file) void openFile(file);
};
video.onended = () => {
  live.stop();
  closeServer();
  tell("The video is over.");
};
element<HTMLButtonElement>("#message-close").onclick = hideMessage;
for (const button of document.querySelectorAll<HTMLButtonElement>("[data-export]")) {
  button.onclick = () => void saveRecord(button.dataset["export"]!);
}
for (const radio of document.querySelectorAll<HTMLInputElement>("[name=mode]")) {
  radio.onchange = () => void setMode(radio.value as Mode);
}
screenArea.onclick = (event) => {
  const face = shown && overlay.faceAt(shown, event.clientX, event.clientY);
  if (face) focusOn(face);
};
for (const kind of ["dragenter", "dragover", "dragleave", "drop"] as const) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    screenArea.classList.toggle("dropping", kind === "dragenter" || kind === "dragover");
    const file = event.dataTransfer?.files[0];
    if (kind === "drop" && file) void openFile(file);
  });
}
navigator.mediaDevices?.addEventListener("devicechange", () => void showCameras());
new ResizeObserver(() => show(shown)).observe(screenArea);

async function greet(): Promise<void> {
  await showCameras();
  const info = await modelInfo();
  element("#model").textContent = `Network ${info.experiment}, ${info.sha256.slice(0, 8)}`;
}

element("#privacy").textContent = PRIVACY[mode];
show(null);
greet().catch(complain);
