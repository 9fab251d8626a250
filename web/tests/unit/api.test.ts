// Answers that take long or break off, files that are kept, streams, and a video on a server whose
// connection fails for a while.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Api, Unavailable } from "../../src/api";
import type { ModelInfo } from "../../src/readings";
import { ConnectionLost, ServerRecogniser } from "../../src/recognisers/server";
import type { Picture } from "../../src/types";

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

  it("sends no token that no header carries, and says what is odd about it", async () => {
    const sent: (string | null)[] = [];
    vi.stubGlobal("fetch", async (_: URL, init: RequestInit) => {
      sent.push(new Headers(init.headers).get("Authorization"));
      return sent.at(-1) === "Bearer right" ? json({ ok: 1 }) : json({}, 401);
    });
    const typed = ["short…", "wrong", " right\n"];
    const asked: string[] = [];
    const api = new Api(async (why) => {
      asked.push(why);
      return typed.shift()!;
    });
    expect(await api.json("v1/videos")).toEqual({ ok: 1 });
    expect(sent).toEqual([null, "Bearer wrong", "Bearer right"]);
    const words = ["has one for you", "“…”", "does not know"];
    expect(asked.map((why, i) => why.includes(words[i]!))).toEqual([true, true, true]);
  });

  it.each([413, 415, 422])("is not offered once more what it does not take (%i)", async (status) => {
    vi.stubGlobal("fetch", async () => json({ title: "Not this", detail: "It is wrong." }, status));
    const sent = new Api(async () => null).json("v1/images", { method: "POST" });
    await expect(sent).rejects.toMatchObject({ message: "Not this. It is wrong.", remedies: ["use-device"] });
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

/** The browser's storage. */
class FakeCache {
  readonly files = new Map<string, Response>();
  match = async (address: URL | string) => this.files.get(String(address))?.clone();
  put = async (address: URL | string, response: Response) => {
    this.files.set(String(address), response);
  };
  delete = async ({ url }: { url: string }) => this.files.delete(url);
  keys = async (address: string) =>
    [...this.files.keys()]
      .filter((url) => url.split("?")[0] === address.split("?")[0])
      .map((url) => ({ url }));
}

describe("the kept files of a network", () => {
  const OLD = "old network";
  const NEW = "new network";
  const { signal } = new AbortController();
  const ADDRESS = "http://mien.test/v1/model/emotion.onnx";
  let cache: FakeCache;
  let served: string | null;
  let fetched: string[];

  const sha256Of = async (text: string) => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return Buffer.from(digest).toString("hex");
  };
  const load = async (text: string) => {
    const file = { url: "v1/model/emotion.onnx", sha256: await sha256Of(text) };
    return new TextDecoder().decode(await new Api(async () => null).bytes(file, () => {}, signal));
  };

  beforeEach(() => {
    cache = new FakeCache();
    served = OLD;
    fetched = [];
    vi.stubGlobal("self", globalThis);
    vi.stubGlobal("document", { baseURI: "http://mien.test/" });
    vi.stubGlobal("caches", { open: async () => cache });
    vi.stubGlobal("fetch", async (url: URL) => {
      fetched.push(url.href);
      if (served === null) throw new TypeError("no connection");
      return new Response(served);
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  it("are those that the description names, without a connection too", async () => {
    expect(await load(OLD)).toBe(OLD);
    served = null;
    expect(await load(OLD)).toBe(OLD);
    expect(fetched).toHaveLength(1);
    await expect(load(NEW)).rejects.toThrow(Unavailable);
  });

  it("make room for newer ones", async () => {
    cache.files.set(ADDRESS, new Response(OLD));
    await load(OLD);
    served = NEW;
    expect(await load(NEW)).toBe(NEW);
    await new Promise((resolve) => setTimeout(resolve));
    expect([...cache.files.keys()]).toEqual([`${ADDRESS}?sha256=${await sha256Of(NEW)}`]);
  });

  it("are not files that the server has replaced since it described them", async () => {
    served = NEW;
    await expect(load(OLD)).rejects.toThrow("was replaced");
    expect(cache.files.size).toBe(0);
  });
});

class FakeSocket {
  static readonly OPEN = 1;
  static last: FakeSocket;
  static get limits() {
    return { frame_bytes: 2_000_000, frame_pixels: 1920 * 1080 };
  }
  readyState = 0;
  sent = 0;
  onmessage: (event: { data: string }) => void = () => {};
  onclose = () => {};

  constructor(readonly url: string) {
    FakeSocket.last = this;
    queueMicrotask(() => {
      this.readyState = FakeSocket.OPEN;
      this.tell({ type: "ready", limits: FakeSocket.limits });
    });
  }

  tell(message: object) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  send() {
    this.sent++;
  }

  close() {
    this.readyState = 3;
  }
}

class RefusedSocket {
  readyState = 0;
  onclose = () => {};

  constructor() {
    queueMicrotask(() => this.close());
  }

  close() {
    this.readyState = 3;
    this.onclose();
  }
}

class FakeCanvas {
  static last: FakeCanvas;
  width = 1;
  height = 1;
  getContext = () => ({ drawImage() {} });

  constructor() {
    FakeCanvas.last = this;
  }

  async convertToBlob() {
    return new Blob();
  }
}

describe("a stream", () => {
  const picture = { width: 640, height: 480, close() {} } as unknown as Picture;
  const RESULT = { type: "result", width: 640, height: 480, faces: [] };
  let tickets: () => Promise<Response>;
  let authorizations: (string | null)[];

  const server = (api = new Api(async () => null)) => new ServerRecogniser(api, MODEL, null);
  const failureOf = (promise: Promise<unknown>) =>
    promise.then(() => null, (error: unknown) => error as Error);

  beforeEach(() => {
    vi.useFakeTimers();
    tickets = async () => json({ ticket: "t1" });
    authorizations = [];
    vi.stubGlobal("self", globalThis);
    vi.stubGlobal("document", { baseURI: "http://mien.test/" });
    vi.stubGlobal("OffscreenCanvas", FakeCanvas);
    vi.stubGlobal("WebSocket", FakeSocket);
    vi.stubGlobal("fetch", async (url: URL, init: RequestInit) => {
      expect([init.method, url.pathname]).toEqual(["POST", "/v1/tickets"]);
      authorizations.push(new Headers(init.headers).get("Authorization"));
      return tickets();
    });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it("shows a ticket, without a token too", async () => {
    await server().begin();
    expect(FakeSocket.last.url).toBe("ws://mien.test/v1/stream?reading=raters&ticket=t1");
    expect(authorizations).toEqual([null]);
  });

  it("asks for the token that the server wants", async () => {
    tickets = async () => (authorizations.at(-1) ? json({ ticket: "t2" }) : json({}, 401));
    await server(new Api(async () => "secret")).begin();
    expect(FakeSocket.last.url).toContain("ticket=t2");
    expect(authorizations).toEqual([null, "Bearer secret"]);
  });

  it("that is refused says why, in the server's words", async () => {
    tickets = async () => json({ title: "Too many streams", detail: "All 4 are taken." }, 429);
    const error = await failureOf(server().begin());
    expect(error).toBeInstanceOf(Unavailable);
    expect(error?.message).toBe("Too many streams. All 4 are taken.");
  });

  it("that worked is sought again while the server does not answer", async () => {
    const recogniser = server();
    await recogniser.begin();
    tickets = async () => Promise.reject(new TypeError("no connection"));
    expect(await failureOf(recogniser.begin())).toBeInstanceOf(ConnectionLost);
    // A proxy has answers of its own while the server behind it starts.
    for (const status of [503, 404, 500, 520]) {
      tickets = async () => new Response("<p>No server here.</p>", { status });
      expect(await failureOf(recogniser.begin())).toBeInstanceOf(ConnectionLost);
    }
  });

  it("that worked is not sought again where the user gives no token", async () => {
    const recogniser = server();
    await recogniser.begin();
    tickets = async () => json({}, 401);
    const error = await failureOf(recogniser.begin());
    expect(error).not.toBeInstanceOf(ConnectionLost);
    expect(error?.message).toBe("This server wants a token.");
  });

  it("that is given up before its ticket comes is not opened", async () => {
    let arrive = (_: Response) => {};
    tickets = () => new Promise((resolve) => (arrive = resolve));
    const recogniser = server();
    const before = FakeSocket.last;
    const failure = failureOf(recogniser.begin());
    await vi.advanceTimersByTimeAsync(0);
    recogniser.disconnect();
    arrive(json({ ticket: "t1" }));
    expect(await failure).toBeInstanceOf(ConnectionLost);
    expect(FakeSocket.last).toBe(before);
  });

  it("that a proxy does not let through is told after some attempts, if none ever worked", async () => {
    vi.stubGlobal("WebSocket", RefusedSocket);
    const recogniser = server();
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await failureOf(recogniser.begin())).toBeInstanceOf(ConnectionLost);
    }
    const error = await failureOf(recogniser.begin());
    expect(error).not.toBeInstanceOf(ConnectionLost);
    expect(error?.message).toContain("no live connection");
    // Whoever tries again has all attempts again.
    expect(await failureOf(recogniser.begin())).toBeInstanceOf(ConnectionLost);
    vi.stubGlobal("WebSocket", FakeSocket);
    await recogniser.begin();
    vi.stubGlobal("WebSocket", RefusedSocket);
    for (let attempt = 0; attempt < 4; attempt++) {
      expect(await failureOf(recogniser.begin())).toBeInstanceOf(ConnectionLost);
    }
  });

  it.each(["too-long", "upload-too-slow"])(
    "that the server ends is a lost connection where it would open another one (%s)",
    async (name) => {
      const recogniser = server();
      await recogniser.begin();
      const frame = failureOf(recogniser.recogniseFrame(picture, 0, 0));
      await vi.advanceTimersByTimeAsync(0);
      const problem = { type: `urn:mien:problem:${name}`, title: "It is over", detail: "" };
      FakeSocket.last.tell({ type: "problem", problem });
      expect(await frame).toBeInstanceOf(ConnectionLost);
    },
  );

  it.each(["bad-request", "too-large", "one-of-a-newer-server"])(
    "that the server ends for what was sent says so in its words (%s)",
    async (name) => {
      const recogniser = server();
      await recogniser.begin();
      const frame = failureOf(recogniser.recogniseFrame(picture, 0, 0));
      await vi.advanceTimersByTimeAsync(0);
      const problem = { type: `urn:mien:problem:${name}`, title: "Not this", detail: "It is wrong." };
      FakeSocket.last.tell({ type: "problem", problem });
      const error = await frame;
      expect(error).not.toBeInstanceOf(ConnectionLost);
      expect(error).toMatchObject({ message: "Not this.", advice: "It is wrong." });
    },
  );

  it.each([
    ["http://mien.test/", 1920 * 1080, [640, 360]],
    ["http://127.0.0.1:8000/", 1920 * 1080, [1280, 720]],
    ["http://localhost:8000/", 640 * 360, [640, 360]],
    ["https://mien.test/", 320 * 180, [320, 180]],
  ])("gets frames as the way there and the server take them (%s, %i)", async (page, pixels, size) => {
    vi.stubGlobal("document", { baseURI: page });
    vi.spyOn(FakeSocket, "limits", "get").mockReturnValue({ frame_bytes: 9, frame_pixels: pixels });
    const recogniser = server();
    await recogniser.begin();
    void recogniser.recogniseFrame({ ...picture, width: 1280, height: 720 }, 0, 0);
    await vi.advanceTimersByTimeAsync(0);
    expect([FakeCanvas.last.width, FakeCanvas.last.height]).toEqual(size);
  });

  it("gets a frame of too many bytes in a smaller size", async () => {
    const limits = { frame_bytes: 100_000, frame_pixels: 9e6 };
    vi.spyOn(FakeSocket, "limits", "get").mockReturnValue(limits);
    vi.spyOn(FakeCanvas.prototype, "convertToBlob").mockImplementation(async function (this: FakeCanvas) {
      return new Blob([new Uint8Array(this.width * this.height)]);
    });
    const recogniser = server();
    await recogniser.begin();
    const frame = recogniser.recogniseFrame(picture, 0, 0);
    await vi.advanceTimersByTimeAsync(0);
    const face = { ...RESULT, frame: 0, width: 328, height: 246, faces: [{ x: 164, width: 82 }] };
    FakeSocket.last.tell(face);
    // Its faces are in the pixels of the frame as it was.
    const faces = [{ x: 320, width: 160 }];
    expect(await frame).toMatchObject({ width: 640, height: 480, faces });
    expect([FakeCanvas.last.width, FakeCanvas.last.height]).toEqual([328, 246]);
  });

  it("gets no frame that it would only be closed for", async () => {
    vi.spyOn(FakeSocket, "limits", "get").mockReturnValue({ frame_bytes: 9, frame_pixels: 9e6 });
    vi.spyOn(FakeCanvas.prototype, "convertToBlob").mockResolvedValue(new Blob(["0123456789"]));
    const recogniser = server();
    await recogniser.begin();
    const error = await failureOf(recogniser.recogniseFrame(picture, 0, 0));
    expect(error).toMatchObject({ advice: "One has 10 bytes; at most 9 there." });
    expect(FakeSocket.last.sent).toBe(0);
  });

  it("that never answers is a lost connection", async () => {
    const recogniser = server();
    await recogniser.begin();
    const frames = [0, 1].map((i) => failureOf(recogniser.recogniseFrame(picture, i, i)));
    await vi.advanceTimersByTimeAsync(10_000);
    for (const frame of frames) expect(await frame).toBeInstanceOf(ConnectionLost);
  });

  it("that falls silent is a lost connection", async () => {
    const recogniser = server();
    await recogniser.begin();
    const socket = FakeSocket.last;
    const frames = [0, 1].map((i) => failureOf(recogniser.recogniseFrame(picture, i, i)));
    await vi.advanceTimersByTimeAsync(9000);
    expect(socket.sent).toBe(2);
    // An answer is a sign of life.
    socket.tell({ ...RESULT, frame: 0 });
    expect(await frames[0]).toBeNull();
    await vi.advanceTimersByTimeAsync(9999);
    expect(socket.readyState).toBe(FakeSocket.OPEN);
    await vi.advanceTimersByTimeAsync(1);
    expect(await frames[1]).toBeInstanceOf(ConnectionLost);
    expect(socket.readyState).toBe(3);
  });

  it("may be silent while nothing is asked of it", async () => {
    const recogniser = server();
    await recogniser.begin();
    const frame = recogniser.recogniseFrame(picture, 0, 0);
    await vi.advanceTimersByTimeAsync(0);
    FakeSocket.last.tell({ ...RESULT, frame: 0 });
    await frame;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.last.readyState).toBe(FakeSocket.OPEN);
  });
});
