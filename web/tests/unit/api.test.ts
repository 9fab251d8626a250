// Answers that take long or break off, and a video on a server whose connection fails for a while.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Api, Unavailable } from "../../src/api";
import type { ModelInfo } from "../../src/readings";
import { ServerRecogniser } from "../../src/recognisers/server";

const MODEL = {
  ...{ reading: "raters", server_detector: "yunet", temporal_sha256: null },
  readings: { raters: { labels: ["happy", "sad"] } },
  input: {},
} as unknown as ModelInfo;
const FACE = { frame: 0, timestamp_ms: 0, track_id: 1, emotion: "happy", happy: 0.9, sad: 0.1 };

const json = (content: unknown, status = 200) =>
  new Response(JSON.stringify(content), { status, headers: { "Content-Type": "application/json" } });

/** A body of which a part comes every `everyMs`; its last part is never sent if it breaks off. */
function slowly(text: string, everyMs: number, breaksOff = false): Response {
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream({
    async start(controller) {
      for (const byte of breaksOff ? bytes.slice(0, -1) : bytes) {
        await new Promise((resolve) => setTimeout(resolve, everyMs));
        controller.enqueue(new Uint8Array([byte]));
      }
      if (!breaksOff) controller.close();
    },
  });
  return new Response(body);
}

describe("the server's API", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("self", globalThis);
    vi.stubGlobal("document", { baseURI: "http://mien.test/" });
    vi.stubGlobal("OffscreenCanvas", class {});
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("waits for a long answer while it comes", async () => {
    vi.stubGlobal("fetch", async () => slowly('{"ok":1}', 15_000));
    const answer = new Api(async () => null).json("v1/videos/a/result");
    await vi.advanceTimersByTimeAsync(8 * 15_000);
    expect(await answer).toEqual({ ok: 1 });
  });

  it("gives up an answer of which no more comes", async () => {
    const broken = (_: URL, { signal }: RequestInit) => {
      const response = slowly('{"ok":1}', 10, true);
      const reader = response.body!.getReader();
      signal!.addEventListener("abort", () => void reader.cancel());
      return { ok: true, status: 200, headers: response.headers, body: { getReader: () => reader } };
    };
    vi.stubGlobal("fetch", broken);
    const failed = new Api(async () => null).json("v1/model").catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await failed).toBeInstanceOf(Unavailable);
  });

  it("keeps a video through a connection that fails, and sends it once", async () => {
    const asked: string[] = [];
    const answers = [
      json({ id: "a", state: "waiting", frames_done: 0, frames_total: 2 }),
      new TypeError("no connection"),
      json({ title: "Busy", detail: "" }, 503),
      json({ id: "a", state: "done", frames_done: 2, frames_total: 2, warning: null }),
      new TypeError("no connection"),
      json({ faces: [FACE] }),
      json({}),
    ];
    vi.stubGlobal("fetch", async (url: URL, init: RequestInit) => {
      asked.push(`${init.method ?? "GET"} ${url.pathname}`);
      const answer = answers.shift()!;
      if (answer instanceof Error) throw answer;
      return answer;
    });
    const server = new ServerRecogniser(new Api(async () => null), MODEL, null);
    const { signal } = new AbortController();
    const read = server.recogniseVideo(new File(["x"], "a.mp4"), () => {}, signal);
    await vi.advanceTimersByTimeAsync(60_000);
    expect((await read).faces[0]!.shares).toEqual({ happy: 0.9, sad: 0.1 });
    expect(asked.filter((each) => each.startsWith("POST"))).toEqual(["POST /v1/videos"]);
    expect(asked.at(-1)).toBe("DELETE /v1/videos/a");
  });

  it("finds a video again that it could not wait for", async () => {
    let isThere = false;
    const asked: string[] = [];
    vi.stubGlobal("fetch", async (url: URL, init: RequestInit) => {
      asked.push(`${init.method ?? "GET"} ${url.pathname}`);
      if (init.method === "POST") return json({ id: "a", state: "running", frames_done: 0 });
      if (!isThere) throw new TypeError("no connection");
      if (url.pathname.endsWith("result")) return json({ faces: [FACE] });
      return json({ id: "a", state: "done", frames_done: 1, frames_total: 1, warning: null });
    });
    const server = new ServerRecogniser(new Api(async () => null), MODEL, null);
    const { signal } = new AbortController();
    const file = new File(["x"], "a.mp4");
    const failed = server.recogniseVideo(file, () => {}, signal).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(await failed).toBeInstanceOf(Unavailable);
    isThere = true;
    const read = server.recogniseVideo(file, () => {}, signal);
    await vi.advanceTimersByTimeAsync(1000);
    expect((await read).frames).toBe(1);
    expect(asked.filter((each) => each.startsWith("POST"))).toHaveLength(1);
  });
});
