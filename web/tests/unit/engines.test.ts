// What recognises on this device: how it is opened, broken off, and opened again after it broke.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Api } from "../../src/api";
import { Engines } from "../../src/engines";
import type { ModelInfo } from "../../src/readings";
import type { Picture } from "../../src/types";

const MODEL = {
  ...{ reading: "raters", page_detector: { url: "yunet.onnx" }, page_temporal: null },
  readings: { raters: { labels: ["happy"] } },
  input: {},
} as unknown as ModelInfo;

interface Asked {
  readonly type: string;
  readonly mayUseGpu?: boolean;
  readonly threads?: number;
}

/** A worker whose graphics card is lost at the first picture, and which may break or never answer. */
class FakeWorker {
  static isSilentAt: (request: Asked) => boolean;
  static breaksAt: (request: Asked) => boolean;
  static hasGpu: boolean;
  static asked: Asked[] = [];
  static running = new Set<FakeWorker>();
  onmessage: (event: { data: object }) => void = () => {};
  isEnded = false;
  #isOnGpu = false;

  constructor() {
    FakeWorker.running.add(this);
  }

  postMessage(request: Asked & { id: number }) {
    FakeWorker.asked.push(request);
    queueMicrotask(() => {
      if (this.isEnded) return;
      const { id } = request;
      if (request.mayUseGpu && !FakeWorker.hasGpu) this.onmessage({ data: { id, hasNoGpu: true } });
      if (FakeWorker.isSilentAt(request)) return;
      this.onmessage({ data: { id, ...this.#answer(request) } });
    });
  }

  terminate() {
    this.isEnded = true;
    FakeWorker.running.delete(this);
  }

  #answer(request: Asked) {
    const { type, mayUseGpu } = request;
    if (FakeWorker.breaksAt(request)) return { failure: "The device is lost." };
    if (type === "open") {
      this.#isOnGpu = mayUseGpu! && FakeWorker.hasGpu;
      return { opened: { description: "", files: [], isOnGpu: this.#isOnGpu } };
    }
    if (type === "frame" && this.#isOnGpu) return { failure: "The device is lost." };
    return { result: { width: 640, height: 480, faces: [] } };
  }
}

function openDevice() {
  const api = { model: async () => MODEL, bytes: async () => new ArrayBuffer(0) };
  const engines = new Engines(api as unknown as Api, () => {});
  return () => engines.open("device", () => {});
}

beforeEach(() => {
  FakeWorker.asked = [];
  FakeWorker.running.clear();
  FakeWorker.isSilentAt = FakeWorker.breaksAt = () => false;
  FakeWorker.hasGpu = true;
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("navigator", {});
  vi.stubGlobal("Worker", FakeWorker);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const frame = { width: 640, height: 480, close() {} } as Picture;

/** Lets the page use several threads, or one. */
function allowThreads(isAllowed: boolean): void {
  vi.stubGlobal("navigator", { hardwareConcurrency: isAllowed ? 8 : 2 });
  vi.stubGlobal("crossOriginIsolated", true);
}

const onGpu = ({ type, mayUseGpu }: Asked) => type === "open" && mayUseGpu!;
const attempts = () => {
  const opened = FakeWorker.asked.filter(({ type }) => type === "open");
  return opened.map(({ threads, mayUseGpu }) => `${threads}${mayUseGpu ? " and a graphics card" : ""}`);
};

describe.each([
  [true, "4", "Threads do not start"],
  [false, "1", "graphics card does not start"],
])("a graphics card (several threads: %s)", (hasThreads, threads, words) => {
  beforeEach(() => allowThreads(hasThreads));

  it("that hangs is done without, and not tried again", async () => {
    vi.useFakeTimers();
    FakeWorker.isSilentAt = (request) => onGpu(request) || request.type === "frame";
    const open = openDevice();
    const opened = open();
    await vi.advanceTimersByTimeAsync(20_000);
    const device = await opened;
    expect(device.warning).toContain(words);
    expect(device.warning).toContain("slower than it could be");
    const failed = expect(device.recogniseFrame(frame, 0, 0)).rejects.toThrow("on this device failed");
    await vi.advanceTimersByTimeAsync(60_000);
    await failed;
    // It is there at once.
    await open();
    expect(attempts()).toEqual([`${threads} and a graphics card`, "1", threads]);
  });

  it("that breaks is done without, also where that fails at first and is tried again", async () => {
    let isFull = true;
    FakeWorker.breaksAt = (request) => onGpu(request) || (request.type === "open" && isFull);
    const open = openDevice();
    await expect(open()).rejects.toThrow("on this device failed");
    isFull = false;
    expect((await open()).warning).toContain(words);
    expect(attempts()).toEqual(Array(2).fill([`${threads} and a graphics card`, "1"]).flat());
    expect(FakeWorker.running.size).toBe(1);
  });
});

it("may take long to open, as it is fetched over a slow line", async () => {
  vi.useFakeTimers();
  allowThreads(false);
  FakeWorker.hasGpu = false;
  FakeWorker.isSilentAt = ({ type }) => type === "open";
  const settled = vi.fn();
  openDevice()().then(settled, settled);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(settled).not.toHaveBeenCalled();
  // What has come so far is not thrown away.
  expect(attempts()).toHaveLength(1);
});

it("that does not answer any more is given up, however often it is asked", async () => {
  vi.useFakeTimers();
  const device = await openDevice()();
  FakeWorker.isSilentAt = ({ type }) => type === "frame";
  const advice = "It does not answer any more.";
  const failed: Promise<void>[] = [];
  for (let i = 0; i < 2; i++) {
    failed.push(expect(device.recogniseFrame(frame, i, i)).rejects.toMatchObject({ advice }));
    await vi.advanceTimersByTimeAsync(30_000);
  }
  await Promise.all(failed);
});

it("is opened again without the graphics card that was lost, and only then", async () => {
  const open = openDevice();
  const first = await open();
  expect(await open()).toBe(first);
  // One that waits fails with the one that broke it.
  const frames = [0, 1].map((i) => first.recogniseFrame(frame, i, i));
  for (const each of frames) await expect(each).rejects.toThrow("on this device failed");
  const close = vi.fn();
  const late = first.recogniseFrame({ ...frame, close }, 2, 2);
  await expect(late).rejects.toThrow("on this device failed");
  expect(close).toHaveBeenCalled();
  const second = await open();
  expect(await second.recogniseFrame(frame, 0, 0)).toMatchObject({ faces: [] });
  expect(await open()).toBe(second);
  const opened = FakeWorker.asked.filter(({ type }) => type === "open");
  expect(opened.map(({ mayUseGpu }) => mayUseGpu)).toEqual([true, false]);
});

describe("loading that is broken off", () => {
  const nothing = () => {};

  /** What opens, and a server that describes its network when it is let. */
  function withSlowServer() {
    let answer: () => void = nothing;
    let fetched = 0;
    const api = {
      model: () => new Promise<ModelInfo>((resolve) => (answer = () => resolve(MODEL))),
      bytes: async () => {
        fetched++;
        return new ArrayBuffer(0);
      },
    };
    const engines = new Engines(api as unknown as Api, nothing);
    return { engines, tell: () => answer(), fetched: () => fetched };
  }

  it.each(["stopped first", "asked for at once"])(
    "before the network is described is done once when it is tried again: %s",
    async (how) => {
      const { engines, tell, fetched } = withSlowServer();
      const stopped = expect(engines.open("device", nothing)).rejects.toThrow("aborted");
      if (how === "stopped first") engines.close();
      const device = engines.open("device", nothing);
      tell();
      await stopped;
      await device;
      expect([fetched(), FakeWorker.running.size]).toEqual([2, 1]);
    },
  );

  it("by a change to the server fetches no network", async () => {
    vi.stubGlobal("OffscreenCanvas", class {});
    const { engines, tell, fetched } = withSlowServer();
    const stopped = expect(engines.open("device", nothing)).rejects.toThrow("aborted");
    engines.close();
    const server = engines.open("server", nothing);
    tell();
    await stopped;
    expect((await server).description).toContain("the server");
    expect([fetched(), FakeWorker.running.size]).toEqual([0, 0]);
  });

  it("while the networks are opened ends their worker, and begins no slower one", async () => {
    vi.stubGlobal("navigator", { hardwareConcurrency: 8 });
    vi.stubGlobal("crossOriginIsolated", true);
    const { engines, tell } = withSlowServer();
    const stopped = expect(engines.open("device", nothing)).rejects.toThrow("aborted");
    const asked = new Promise<void>((resolve) => {
      FakeWorker.isSilentAt = () => {
        resolve();
        return true;
      };
    });
    tell();
    await asked;
    engines.close();
    await stopped;
    expect([FakeWorker.asked.length, FakeWorker.running.size]).toEqual([1, 0]);
  });
});
