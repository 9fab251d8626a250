// Recognition on this device, off the page's main thread.

import type { InferenceSession } from "onnxruntime-web/wasm";
import type { ModelInfo } from "../readings";
import type { Picture, Result } from "../types";
import { EmotionJudge, judgeFaces, recordOf, verdictOn } from "../vision/judge";
import { FaceLocator } from "../vision/locator";
import { type Files, Networks } from "../vision/networks";
import type { TrackMemory } from "../vision/memory";
import { findInPhotograph } from "../vision/photograph";
import { Smoother } from "../vision/smoother";
import { TemporalMemory } from "../vision/temporal";
import { FrameReader } from "../vision/view";
import { hasGpu, loadRuntime, type Runtime } from "./runtime";

export interface OpenRequest {
  id: number;
  type: "open";
  model: ModelInfo;
  files: Files;
  threads: number;
  mayUseGpu: boolean;
}

/** What the page sends. */
export type Request =
  | OpenRequest
  | { id: number; type: "read-as"; reading: string | null }
  /** The temporal network that calms labels from the next video on; null for smoothing. */
  | { id: number; type: "calm-by"; temporal: ArrayBuffer | null }
  | { id: number; type: "begin"; isLive: boolean }
  | { id: number; type: "frame"; picture: Picture; frame: number; timestampMs: number }
  | { id: number; type: "photo"; picture: Picture }
  /** Breaks off the photo with that number, which is answered so; it is not answered itself. */
  | { id: number; type: "stop-photo" };

/** What it gets: one answer to each request; before that to a photo, how far it is. */
export type Answer =
  /** Before the networks are opened where a graphics card was allowed: there is none to try. */
  | { id: number; hasNoGpu: true }
  | { id: number; opened: { description: string; files: readonly string[]; isOnGpu: boolean } }
  | { id: number; result: Result }
  | { id: number; progress: { done: number; total: number } }
  | { id: number; stopped: true }
  | { id: number; failure: string };

let model: ModelInfo;
let runtime: Runtime;
let networks: Networks;
let temporal: InferenceSession | null = null;
let locator: FaceLocator;
let judge: EmotionJudge;
const reader = new FrameReader();
let queue: Promise<unknown> = Promise.resolve();
const stopped = new Set<number>();

/** A photo was broken off, as it was asked for. */
class Stopped extends Error {}

self.onmessage = ({ data }: MessageEvent<Request>) => {
  if (data.type === "stop-photo") return void stopped.add(data.id);
  // Frames must be followed in their order, though a step waits for a network.
  queue = queue.then(async () => {
    try {
      self.postMessage(await answer(data));
    } catch (error) {
      if (error instanceof Stopped) {
        return self.postMessage({ id: data.id, stopped: true } satisfies Answer);
      }
      const failure = error instanceof Error ? error.message : String(error);
      self.postMessage({ id: data.id, failure } satisfies Answer);
    }
  });
};

async function answer(request: Exclude<Request, { type: "stop-photo" }>): Promise<Answer> {
  const { id } = request;
  switch (request.type) {
    case "open":
      return { id, opened: await open(request) };
    case "read-as":
      networks.readAs(request.reading);
      return { id, result: { width: 0, height: 0, faces: [] } };
    case "calm-by":
      await temporal?.release();
      temporal = null;
      if (request.temporal) temporal = await runtime.open(new Uint8Array(request.temporal), true);
      return { id, result: { width: 0, height: 0, faces: [] } };
    case "begin":
      begin(request.isLive);
      return { id, result: { width: 0, height: 0, faces: [] } };
    case "frame":
      return { id, result: await frame(request.picture, request.frame, request.timestampMs) };
    case "photo":
      return { id, result: await photo(request.picture, id) };
  }
}

async function open(request: OpenRequest) {
  const { id, files, threads, mayUseGpu } = request;
  model = request.model;
  const onGpu = mayUseGpu ? await openOnGpu(id, files, threads) : null;
  runtime = onGpu ?? (await openOn("wasm", files, threads));
  begin(true);
  return { description: runtime.description, files: runtime.files, isOnGpu: onGpu !== null };
}

async function openOnGpu(id: number, files: Files, threads: number): Promise<Runtime | null> {
  if (!(await hasGpu())) {
    self.postMessage({ id, hasNoGpu: true } satisfies Answer);
    return null;
  }
  try {
    return await openOn("webgpu", files, threads);
  } catch (error) {
    console.warn("WebGPU does not work here; WebAssembly does it.", error);
    return null;
  }
}

async function openOn(backend: Runtime["backend"], files: Files, threads: number): Promise<Runtime> {
  const runtime = await loadRuntime(backend, threads);
  networks = await Networks.open(runtime, model, files);
  // Says now whether it works, and makes the first frame as fast as the others.
  await networks.detect({ image: black(320, 180), scale: 1 });
  const { side, channels } = networks.how.input;
  const crop = new Uint8Array(side * side * channels);
  await networks.classify([{ data: crop, width: side, height: side, channels }]);
  return runtime;
}

function black(width: number, height: number) {
  return { data: new Uint8ClampedArray(width * height * 4), width, height, channels: 4 };
}

function newMemory(): TrackMemory {
  if (temporal) return new TemporalMemory(runtime, temporal, model.page_temporal!);
  return new Smoother(model.smooth_ms);
}

function begin(isLive: boolean): void {
  locator = new FaceLocator(networks, isLive);
  judge = new EmotionJudge(networks, model.quality_gate, newMemory());
}

async function frame(picture: Picture, index: number, timestampMs: number): Promise<Result> {
  const view = await reader.open(picture);
  const tracked = await locator.locate(view, timestampMs);
  const faces = await judge.judge(view, tracked, index, timestampMs);
  return { width: view.width, height: view.height, faces };
}

async function photo(picture: Picture, id: number): Promise<Result> {
  const view = reader.openStill(picture);
  const detect = networks.detect.bind(networks);
  const found = await findInPhotograph(view, detect, networks.longestSide, async (done, total) => {
    self.postMessage({ id, progress: { done, total } } satisfies Answer);
    // A message that stops it comes in between two tasks.
    await new Promise((resolve) => setTimeout(resolve));
    if (stopped.delete(id)) throw new Stopped();
  });
  const when = { frame: 0, timestamp_ms: 0, track_id: 0, detected: true, smooth_ms: 0, temporal_sha256: null };
  const faces = (await judgeFaces(networks, view, found)).map((face) =>
    recordOf(networks.how, face, verdictOn(face, model.quality_gate), when),
  );
  return { width: view.width, height: view.height, faces };
}
