// Recognition on this device, off the page's main thread.

import { EMOTIONS, type FaceRecord, type JudgedFace, type ModelInfo, type Result } from "../types";
import { passes, type QualityGate } from "../vision/quality";
import type { Pixels } from "../vision/resize";
import { leaderOf, Smoother } from "../vision/smoother";
import { Tracker } from "../vision/tracker";
import { type Files, Vision } from "../vision/vision";
import { type Backend, hasGpu, loadRuntime, type Runtime } from "./runtime";

/** What the page sends. */
export type Request =
  | { id: number; type: "open"; model: ModelInfo; files: Files }
  | { id: number; type: "begin" }
  | { id: number; type: "frame"; picture: ImageBitmap; frame: number; timestampMs: number }
  | { id: number; type: "photo"; picture: ImageBitmap };

/** What it gets: one answer to each request. */
export type Answer =
  | { id: number; opened: { backend: Backend; description: string } }
  | { id: number; result: Result }
  | { id: number; failure: string };

// Live frames are reduced further on slow devices: the largest side whose detection is fast enough.
const LIVE_SIDES = [640, 480, 320];
const LIVE_DETECTION_MS = 45;

let vision: Vision;
let smoothMs: number;
let gate: QualityGate;
let liveSide = LIVE_SIDES[0]!;
let tracker = new Tracker();
let smoother: Smoother;
const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false })!;

self.onmessage = async ({ data }: MessageEvent<Request>) => {
  try {
    self.postMessage(await answer(data));
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    self.postMessage({ id: data.id, failure } satisfies Answer);
  }
};

async function answer(request: Request): Promise<Answer> {
  const { id } = request;
  switch (request.type) {
    case "open":
      return { id, opened: await open(request.model, request.files) };
    case "begin":
      begin();
      return { id, result: { width: 0, height: 0, faces: [] } };
    case "frame":
      return { id, result: await frame(request.picture, request.frame, request.timestampMs) };
    case "photo":
      return { id, result: await photo(request.picture) };
  }
}

async function open(model: ModelInfo, files: Files) {
  let runtime: Runtime | undefined;
  if (await hasGpu()) {
    try {
      runtime = await loadRuntime("webgpu");
      vision = await Vision.open(runtime, model, files);
      await chooseLiveSide();
    } catch (error) {
      console.warn("WebGPU does not work here; WebAssembly does it.", error);
      runtime = undefined;
    }
  }
  if (!runtime) {
    runtime = await loadRuntime("wasm");
    vision = await Vision.open(runtime, model, files);
    await chooseLiveSide();
  }
  smoothMs = model.smooth_ms;
  gate = model.quality_gate;
  begin();
  return { backend: runtime.backend, description: runtime.description };
}

/** Tries the detector on an empty picture, which also warms it up. */
async function chooseLiveSide(): Promise<void> {
  for (liveSide of LIVE_SIDES) {
    const empty = new Uint8ClampedArray(liveSide * liveSide * 4);
    const image = { data: empty, width: liveSide, height: Math.ceil(liveSide * 0.5625), channels: 4 };
    await vision.recognise(image, liveSide);
    const started = performance.now();
    await vision.recognise(image, liveSide);
    if (performance.now() - started <= LIVE_DETECTION_MS) return;
  }
}

function begin(): void {
  tracker = new Tracker();
  smoother = new Smoother(smoothMs);
}

async function frame(picture: ImageBitmap, index: number, timestampMs: number): Promise<Result> {
  const image = pixelsOf(picture);
  const judged = await vision.recognise(image, liveSide);
  const ids = tracker.update(judged, timestampMs);
  smoother.forgetAllBut(tracker.ids);
  const faces = judged.map((face, n) => {
    const { probabilities, label } = smoother.smooth(ids[n]!, face.probabilities, timestampMs);
    return record({ ...face, probabilities }, label, index, timestampMs, ids[n]!);
  });
  return { width: image.width, height: image.height, faces };
}

async function photo(picture: ImageBitmap): Promise<Result> {
  const image = pixelsOf(picture);
  const judged = await vision.recognise(image, vision.longestSide);
  const faces = judged.map((face) => record(face, leaderOf(face.probabilities), 0, 0, 0));
  return { width: image.width, height: image.height, faces };
}

function record(
  face: JudgedFace,
  label: number,
  frame: number,
  timestamp_ms: number,
  track_id: number,
): FaceRecord {
  const { probabilities, quality, x, y, width, height, detection_score } = face;
  const [angry, disgust, fear, happy, sad, surprise, neutral] = probabilities as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    ...{ frame, timestamp_ms, track_id, x, y, width, height, detection_score },
    emotion: EMOTIONS[label]!,
    confidence: probabilities[label]!,
    ...{ angry, disgust, fear, happy, sad, surprise, neutral },
    uncertain: !passes(gate, quality, probabilities[label]!),
    detected: true,
    smooth_ms: track_id > 0 ? smoothMs : 0,
  };
}

function pixelsOf(picture: ImageBitmap): Pixels {
  const { width, height } = picture;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  context.drawImage(picture, 0, 0);
  picture.close();
  return { data: context.getImageData(0, 0, width, height).data, width, height, channels: 4 };
}
