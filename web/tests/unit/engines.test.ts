// What recognises on this device, after it broke.

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Api } from "../../src/api";
import { Engines } from "../../src/engines";
import type { ModelInfo } from "../../src/readings";
import type { Picture } from "../../src/types";

const MODEL = {
  ...{ reading: "raters", page_detector: { url: "yunet.onnx" }, page_temporal: null },
  readings: { raters: { labels: ["happy"] } },
  input: {},
} as unknown as ModelInfo;

/** A worker whose graphics card is lost at the first picture. */
class FakeWorker {
  static asked: { type: string; mayUseGpu?: boolean }[] = [];
  onmessage: (event: { data: object }) => void = () => {};
  isEnded = false;
  #isOnGpu = false;

  postMessage(request: { id: number; type: string; mayUseGpu?: boolean }) {
    FakeWorker.asked.push(request);
    queueMicrotask(() => {
      if (!this.isEnded) this.onmessage({ data: { id: request.id, ...this.#answer(request) } });
    });
  }

  terminate() {
    this.isEnded = true;
  }

  #answer({ type, mayUseGpu }: { type: string; mayUseGpu?: boolean }) {
    if (type === "open") {
      this.#isOnGpu = mayUseGpu!;
      return { opened: { description: "", files: [], isOnGpu: mayUseGpu } };
    }
    if (type === "frame" && this.#isOnGpu) return { failure: "The device is lost." };
    return { result: { width: 640, height: 480, faces: [] } };
  }
}

beforeEach(() => {
  FakeWorker.asked = [];
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("navigator", {});
  vi.stubGlobal("Worker", FakeWorker);
});
afterEach(() => vi.unstubAllGlobals());

it("is opened anew without the graphics card that was lost, and only then", async () => {
  const api = { model: async () => MODEL, bytes: async () => new ArrayBuffer(0) };
  const engines = new Engines(api as unknown as Api, () => {});
  const open = () => engines.open("device", () => {});
  const frame = { width: 640, height: 480 } as Picture;
  const first = await open();
  expect(await open()).toBe(first);
  // One that waits fails with the one that broke it.
  const frames = [0, 1].map((i) => first.recogniseFrame(frame, i, i));
  for (const each of frames) await expect(each).rejects.toThrow("on this device failed");
  await expect(first.recogniseFrame(frame, 2, 2)).rejects.toThrow("on this device failed");
  const second = await open();
  expect(await second.recogniseFrame(frame, 0, 0)).toMatchObject({ faces: [] });
  expect(await open()).toBe(second);
  const opened = FakeWorker.asked.filter(({ type }) => type === "open");
  expect(opened.map(({ mayUseGpu }) => mayUseGpu)).toEqual([true, false]);
});
