// What the service worker keeps of the page, and when a browser takes it for a newer one.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { tellServiceWorker } from "../../kept_files";

describe("the built service worker", () => {
  const BUILT: Readonly<Record<string, string>> = {
    "index.html": "<h1>mien</h1>",
    "docs.html": "<h1>API</h1>",
    "model-card.txt": "A network.",
    "licenses.txt": "MIT",
    "icon.svg": "<svg/>",
    "assets/index-1.js": "run()",
    "assets/ort-wasm-2.wasm": "\0asm",
    "service_worker.js": "fetchAll(__PRECACHED__);serve(__ALL__)",
  };
  let folder: string;

  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "mien-page-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  function workerOf(changed: Readonly<Record<string, string>> = {}): string {
    for (const [name, content] of Object.entries({ ...BUILT, ...changed })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    tellServiceWorker(folder);
    return readFileSync(join(folder, "service_worker.js"), "utf8");
  }

  it("knows what is fetched at once, and everything that there is", () => {
    const lists = /^fetchAll\((.*)\);serve\((.*)\)$/m.exec(workerOf())!.slice(1);
    const [atOnce, all] = lists.map((list) => JSON.parse(list) as string[]);
    expect(atOnce).toEqual(["./", "assets/index-1.js", "icon.svg", "model-card.txt"]);
    const later = ["assets/ort-wasm-2.wasm", "licenses.txt"];
    expect(all).toEqual([...atOnce!.slice(1), ...later].sort());
  });

  it.each(["index.html", "model-card.txt", "licenses.txt", "icon.svg"])(
    "is another one where %s has changed, which keeps its name",
    (name) => {
      const before = workerOf();
      expect(workerOf()).toBe(before);
      expect(workerOf({ [name]: `${BUILT[name]}!` })).not.toBe(before);
    },
  );

  it("is the same where only the API's description has changed, which it does not keep", () => {
    expect(workerOf({ "docs.html": "<h1>Another</h1>" })).toBe(workerOf());
  });
});

const SITE = "http://mien.test/";
const FULL = new DOMException("Quota exceeded.", "QuotaExceededError");

/** The browser's storage under one name. */
class FakeCache {
  readonly files = new Map<string, Response>();

  async match(request: Request | string): Promise<Response | undefined> {
    return this.files.get(urlOf(request))?.clone();
  }

  async put(request: Request | string, response: Response): Promise<void> {
    this.files.set(urlOf(request), response);
  }

  async addAll(requests: readonly Request[]): Promise<void> {
    for (const request of requests) await this.put(request, await fetch(request));
  }

  async delete(request: Request): Promise<boolean> {
    return this.files.delete(request.url);
  }

  async keys(): Promise<Request[]> {
    return [...this.files.keys()].map((url) => new Request(url));
  }
}

function urlOf(request: Request | string): string {
  return typeof request === "string" ? request : request.url;
}

describe("the service worker", () => {
  type Listener = (event: object) => void;
  let storage: Map<string, FakeCache>;
  let served: Record<string, string>;
  let isOnline: boolean;

  beforeEach(() => {
    storage = new Map();
    isOnline = true;
    vi.stubGlobal("location", { href: `${SITE}service_worker.js` });
    vi.stubGlobal("fetch", async (request: Request) => {
      const content = served[request.url.replace(SITE, "")];
      if (!isOnline || content === undefined) throw new TypeError("no connection");
      return new Response(content);
    });
    vi.stubGlobal("caches", {
      open: async (name: string) => {
        if (!storage.has(name)) storage.set(name, new FakeCache());
        return storage.get(name)!;
      },
      delete: async (name: string) => storage.delete(name),
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  /** Starts the worker of a page with these files, all but `later` fetched at once. */
  async function start(files: Record<string, string>, later: readonly string[] = []) {
    served = files;
    const listeners = new Map<string, Listener>();
    const names = Object.keys(files);
    vi.stubGlobal("self", {
      addEventListener: (type: string, listener: Listener) => void listeners.set(type, listener),
      clients: { claim: async () => {} },
    });
    vi.stubGlobal("__ALL__", names.filter((name) => name !== ""));
    vi.stubGlobal("__PRECACHED__", names.filter((name) => !later.includes(name)).map((name) => name || "./"));
    vi.resetModules();
    await import("../../src/service_worker");
    const happens = async (type: string) => {
      let done: Promise<void> | undefined;
      listeners.get(type)!({ waitUntil: (work: Promise<void>) => (done = work) });
      await done;
    };
    /** What the page gets of a file. */
    const get = async (name: string) => {
      let answer: Promise<Response> | undefined;
      const respondWith = (response: Promise<Response>) => (answer = response);
      listeners.get("fetch")!({ request: new Request(SITE + name), respondWith });
      return (await answer!).text();
    };
    return { install: () => happens("install"), activate: () => happens("activate"), get };
  }

  it("shows the page that it knows until a newer one takes over, and then nothing older", async () => {
    const older = { "": "old page", "assets/a-1.js": "old script", "licenses.txt": "old licence" };
    const newer = { "": "new page", "assets/a-2.js": "new script", "licenses.txt": "new licence" };
    const first = await start(older, ["licenses.txt"]);
    await first.install();
    await first.activate();
    expect(await first.get("licenses.txt")).toBe("old licence");
    const second = await start(newer, ["licenses.txt"]);
    await second.install();
    expect([await first.get(""), await first.get("licenses.txt")]).toEqual(["old page", "old licence"]);
    await second.activate();
    expect([await second.get(""), await second.get("licenses.txt")]).toEqual(["new page", "new licence"]);
    isOnline = false;
    expect([await second.get(""), await second.get("assets/a-2.js")]).toEqual(["new page", "new script"]);
    expect([...storage.get("mien-files")!.files.keys()]).not.toContain(`${SITE}assets/a-1.js`);
  });

  it("keeps what was used of a page whose name says that it has not changed", async () => {
    const first = await start({ "": "old page", "assets/big-1.wasm": "asm" }, ["assets/big-1.wasm"]);
    await first.activate();
    await first.get("assets/big-1.wasm");
    const second = await start({ "": "new page", "assets/big-1.wasm": "asm" }, ["assets/big-1.wasm"]);
    await second.install();
    await second.activate();
    isOnline = false;
    expect(await second.get("assets/big-1.wasm")).toBe("asm");
  });

  describe("in a browser whose storage", () => {
    const files = { "": "page", "assets/a-1.js": "script" };

    beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
    afterEach(() => void vi.restoreAllMocks());

    it("is full answers with what comes, and keeps nothing", async () => {
      vi.spyOn(FakeCache.prototype, "put").mockRejectedValue(FULL);
      const worker = await start(files);
      expect([await worker.get(""), await worker.get("assets/a-1.js")]).toEqual(["page", "script"]);
      expect(storage.get("mien-files")!.files.size).toBe(0);
    });

    it("does not open answers with what comes", async () => {
      const worker = await start(files);
      vi.stubGlobal("caches", { open: async () => Promise.reject(new DOMException("", "UnknownError")) });
      expect(await worker.get("assets/a-1.js")).toBe("script");
    });

    it("has no room for a newer page shows that one all the same", async () => {
      const first = await start(files);
      await first.install();
      await first.activate();
      const second = await start({ "": "new page", "assets/a-2.js": "new script" });
      await second.install();
      vi.spyOn(FakeCache.prototype, "put").mockRejectedValue(FULL);
      await second.activate();
      expect([await second.get(""), await second.get("assets/a-2.js")]).toEqual(["new page", "new script"]);
    });
  });
});
