// Wires the page: what its buttons do, and how the state is shown.

import { Api } from "./api";
import { askToken, askWhether } from "./dialogs";
import { Engines } from "./engines";
import type { Event } from "./machine";
import { Page, problemOf } from "./page";
import { makeReport } from "./record/report";
import { fileName, save } from "./record/save";
import { toCsv, toJson } from "./record/table";
import { openSample, showSamples } from "./samples";
import { keepUpToDate } from "./service_worker_client";
import { listCameras, otherCamera } from "./sources/camera";
import { type Mode, type Remedy, UserError } from "./types";
import { byId } from "./view/elements";
import { Overlay } from "./view/overlay";
import { Presenter } from "./view/presenter";
import { Screen } from "./view/screen";

// In a folder of plain files, this says where the network is described, and there is no server.
const described = document.querySelector<HTMLMetaElement>("[name=mien-model]");
const hasServer = !described;

const api = new Api(askToken, described?.content);
const engines = new Engines(api, (model) => presenter.showModel(model));
const fileInput = byId<HTMLInputElement>("file");
const video = byId<HTMLVideoElement>("video");
const screen = new Screen(video, byId("photo"), new Overlay(byId("overlay")));
const elsewhere = {
  pickFiles: () => fileInput.click(),
  saveReport: () => void saveRecord("report"),
  greet: () => void greet(),
};
const page = new Page(engines, screen, () => presenter.invalidate(), elsewhere, "device");
const presenter = new Presenter(page, screen, hasServer);

const KEEP_AFTER_MS = 3000;

function on(id: string, event: Event | (() => void)): void {
  byId<HTMLButtonElement>(id).onclick = () =>
    typeof event === "function" ? event() : page.dispatch(event);
}

// --- Buttons ---

on("start", { type: "start-camera" });
on("choose", () => fileInput.click());
on("more", () => fileInput.click());
on("stop", { type: "stop" });
on("loading-stop", { type: "stop-loading" });
on("message-close", { type: "dismiss" });
on("pause", () => {
  const { stage } = page.state;
  const isPaused = stage.kind === "camera" && stage.phase === "paused";
  if (isPaused) void video.play();
  page.dispatch({ type: isPaused ? "resume" : "pause" });
});
on("flip", () => void openOtherCamera());
on("mirror", () => {
  page.isMirrored = !page.isMirrored;
  screen.setMirrored(page.isMirrored);
  presenter.invalidate();
});
on("snapshot", () => void saveSnapshot());
on("full", () => {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void byId("stage").requestFullscreen();
});
on("play", () => void (video.paused ? video.play() : video.pause()));
on("clear", () => void clearRecord());
byId<HTMLInputElement>("scrubber").oninput = ({ target }) => {
  video.currentTime = Number((target as HTMLInputElement).value);
};
for (const button of document.querySelectorAll<HTMLButtonElement>("[data-export]")) {
  button.onclick = () => void saveRecord(button.dataset["export"]!);
}
for (const radio of document.querySelectorAll<HTMLInputElement>("[name=mode]")) {
  radio.onchange = () => page.dispatch({ type: "set-mode", mode: radio.value as Mode });
}
byId<HTMLSelectElement>("readings").onchange = ({ target }) => {
  engines.readAs((target as HTMLSelectElement).value);
  page.dispatch({ type: "set-reading" });
};
byId<HTMLSelectElement>("steadying").onchange = ({ target }) => {
  engines.calmOverTime((target as HTMLSelectElement).value === "network");
  page.dispatch({ type: "set-reading" });
};
byId<HTMLSelectElement>("camera").onchange = ({ target }) => {
  page.camera = { ...page.camera, deviceId: (target as HTMLSelectElement).value };
  page.dispatch({ type: "start-camera" });
};
byId("overlay").onclick = (event) => {
  const face = screen.faceAt(event.clientX, event.clientY);
  if (face) presenter.focusOn(face);
};
document.addEventListener("fullscreenchange", () => presenter.invalidate());

// --- Files ---

fileInput.onchange = () => {
  const files = [...(fileInput.files ?? [])];
  fileInput.value = "";
  page.dispatch({ type: "open-files", files });
};
for (const kind of ["dragenter", "dragover", "dragleave", "drop"] as const) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    byId("stage").classList.toggle("dropping", kind === "dragenter" || kind === "dragover");
    const files = [...(event.dataTransfer?.files ?? [])];
    if (kind === "drop") page.dispatch({ type: "open-files", files });
  });
}
document.addEventListener("paste", (event) => {
  page.dispatch({ type: "open-files", files: [...(event.clipboardData?.files ?? [])] });
});
showSamples((name) => {
  openSample(name).then(
    (file) => page.openSample(file),
    (error: unknown) => complain(error),
  );
});

async function saveSnapshot(): Promise<void> {
  const blob = await screen.snapshot();
  if (blob) save(blob, fileName("png"));
}

async function saveRecord(kind: string): Promise<void> {
  const { sources } = page.record;
  try {
    const csv = toCsv(sources, page.labels);
    if (kind === "csv") save(new Blob([csv], { type: "text/csv" }), fileName("csv"));
    if (kind === "json") {
      save(new Blob([toJson(sources, page.labels)], { type: "application/json" }), fileName("json"));
    }
    if (kind === "report") save(await makeReport(api, csv), fileName("html"));
    else page.record.markSaved();
  } catch (error) {
    complain(error, error instanceof UserError ? error.remedies : []);
  }
}

/** Says what went wrong outside the page's state machine, and what may help. */
function complain(error: unknown, remedies: readonly Remedy[] = []): void {
  page.dispatch({ type: "outside-failed", problem: { ...problemOf(error), remedies } });
}

async function clearRecord(): Promise<void> {
  const { unsaved } = page.record;
  const rows = unsaved === 1 ? "1 row is" : `${unsaved.toLocaleString("en")} rows are`;
  if (unsaved > 0 && !(await askWhether(`${rows} not saved yet, and would be lost.`, "Start again"))) return;
  page.clearRecord();
}

// --- The browser ---

document.addEventListener("visibilitychange", () =>
  page.dispatch({ type: document.hidden ? "tab-hidden" : "tab-shown" }),
);
window.addEventListener("beforeunload", (event) => {
  if (page.record.unsaved > 0) event.preventDefault();
});
navigator.mediaDevices?.addEventListener("devicechange", () => void showCameras());

async function openOtherCamera(): Promise<void> {
  const stream = video.srcObject;
  // While a camera is opened, it is not known yet which one it is.
  if (!(stream instanceof MediaStream)) return;
  const cameras = await listCameras();
  page.camera = otherCamera(stream.getVideoTracks()[0]!.getSettings(), cameras);
  page.dispatch({ type: "start-camera" });
}

async function showCameras(): Promise<void> {
  presenter.showCameras(await listCameras());
}
video.addEventListener("playing", () => void showCameras());

async function greet(): Promise<void> {
  try {
    const model = await engines.model();
    // So that the first result comes at once; who saves data loads it when it is wanted.
    if (!savesData() && model.page_detector) page.dispatch({ type: "preload" });
  } catch (error) {
    complain(error, ["greet"]);
  }
}

function savesData(): boolean {
  return (navigator as { connection?: { saveData?: boolean } }).connection?.saveData ?? false;
}

presenter.invalidate();
void showCameras();
void greet();
// Keeping files for later does not hold up what is wanted now.
setTimeout(() => {
  keepUpToDate(byId("update"), byId("reload"));
  if (!savesData()) engines.keepTemporal().catch((error: unknown) => console.warn("Not kept:", error));
}, KEEP_AFTER_MS);
