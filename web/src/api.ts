// The server's HTTP API: its errors as UserError, its token from the user.

import type { ModelInfo } from "./readings";
import { type Remedy, UserError } from "./types";

/** Asks the user for the server's token, and says why; null if they do not give one. */
export type AskToken = (why: string) => Promise<string | null>;

/** Bytes that have come, and that will come in all; 0 where nobody knows. */
export type Progress = (loaded: number, total: number) => void;

/** A network's file; its SHA-256, where it is known, says which one is meant. */
export interface NetworkFile {
  readonly url: string;
  readonly sha256?: string;
}

/** No answer came, or none for now: the same request may work later. */
export class Unavailable extends UserError {
  constructor(message: string, advice: string, remedies: readonly Remedy[] = ["retry"]) {
    super(message, advice, remedies);
  }
}

/** The server does not take what was sent: sent again, it would get the same answer. */
export class NotTaken extends UserError {}

/** The server wants a token, and the user gives none. */
export class TokenWanted extends UserError {
  constructor() {
    super("This server wants a token.", "Ask whoever runs it for one.", ["retry"]);
  }
}

/** Calls the API, and asks for the token when the server wants one. */
export class Api {
  #token: string | null = null;

  constructor(
    private readonly askToken: AskToken,
    /** Where the network is described: of a server, or of a folder of plain files. */
    private readonly modelUrl = "v1/model",
  ) {}

  async model(): Promise<ModelInfo> {
    // It says which networks belong to it: what a cache has may be older than they are.
    return this.#fetchOrKept<ModelInfo>(this.modelUrl, { cache: "no-cache" }, readJson);
  }

  bytes({ url, sha256 }: NetworkFile, progress: Progress, signal: AbortSignal): Promise<ArrayBuffer> {
    const read: Read<ArrayBuffer> = (response, alive) =>
      readAll(response, (loaded, total) => {
        alive();
        progress(loaded, total);
      });
    if (sha256 === undefined) return this.#fetchOrKept(url, { signal }, read);
    return this.#fetchOnce(`${url}?sha256=${sha256}`, sha256, { signal }, read);
  }

  /** An answer in JSON; `patienceMs` for what takes its time, such as an upload. */
  json<Answer>(url: string, init: RequestInit = {}, patienceMs = ANSWER_MS): Promise<Answer> {
    return this.#fetch<Answer>(url, init, patienceMs, readJson);
  }

  postCsv(url: string, csv: string): Promise<Blob> {
    const headers = { "Content-Type": "text/csv" };
    const init = { method: "POST", body: csv, headers };
    return this.#fetch(url, init, PHOTO_MS, async (response, alive) => new Blob([await readAll(response, alive)]));
  }

  async delete(url: string): Promise<void> {
    await this.#fetch(url, { method: "DELETE" }, ANSWER_MS, async () => {});
  }

  /** Address of a WebSocket. A browser does not tell why one is refused: getting its ticket does. */
  async socketUrl(path: string): Promise<string> {
    const { ticket } = await this.json<{ ticket: string }>("v1/tickets", { method: "POST" });
    const url = new URL(path, document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("ticket", ticket);
    return url.href;
  }

  /** Fetches a file of the network, and keeps it for times without a connection. */
  async #fetchOrKept<Answer>(url: string, init: RequestInit, read: Read<Answer>): Promise<Answer> {
    const kept = await findKept(url);
    try {
      return await this.#fetch(url, init, kept ? PATIENCE_MS : ANSWER_MS, async (response, alive) => {
        await keep(url, response.clone());
        return read(response, alive);
      });
    } catch (error) {
      if (!kept || init.signal?.aborted) throw error;
      return read(kept, () => {});
    }
  }

  /** Takes a file whose address says what is in it from what is kept; else fetches and keeps it. */
  async #fetchOnce(
    address: string,
    sha256: string,
    init: RequestInit,
    read: Read<ArrayBuffer>,
  ): Promise<ArrayBuffer> {
    const kept = await findKept(address);
    if (kept) return read(kept, () => {});
    const bytes = await this.#fetch(address, init, ANSWER_MS, read);
    await check(bytes, sha256);
    await keep(address, new Response(bytes));
    return bytes;
  }

  async #fetch<Answer>(
    url: string,
    init: RequestInit,
    patienceMs: number,
    read: Read<Answer>,
  ): Promise<Answer> {
    for (;;) {
      const headers = new Headers(init.headers);
      if (this.#token !== null) headers.set("Authorization", `Bearer ${this.#token}`);
      const answer = await send(url, { ...init, headers }, patienceMs, read);
      if (answer !== REFUSED) return answer;
      this.#token = await this.#askedToken();
    }
  }

  /** Asks until there is a token that can be sent; whether it is the right one, the server knows. */
  async #askedToken(): Promise<string> {
    let why = this.#token === null ? "Whoever runs it has one for you." : "The server does not know that token.";
    for (;;) {
      const token = (await this.askToken(why))?.trim();
      if (!token) throw new TokenWanted();
      const [odd] = token.match(NOT_IN_TOKENS) ?? [];
      if (odd === undefined) return token;
      why = `A token has no “${odd}”: letters from A to Z, digits and plain signs. Was it copied whole?`;
    }
  }
}

// What a header cannot carry, or not everywhere.
const NOT_IN_TOKENS = /[^ -~]/u;

/** Reads an answer; `alive` is called while more of it comes. */
type Read<Answer> = (response: Response, alive: () => void) => Promise<Answer>;

const KEPT = "mien-networks";
// A server may take a connection and say nothing. So long is waited for a sign of life,
const ANSWER_MS = 20_000;
// where there is a copy,
const PATIENCE_MS = 3000;
/** where a photo or a record is sent and worked on first, */
export const PHOTO_MS = 300_000;
/** and where a video is sent. */
export const VIDEO_MS = 3_600_000;

// Too many requests, or a server that is starting, busy or behind one that is.
const UNAVAILABLE: readonly number[] = [429, 502, 503, 504];
// Too large, of another type, or unreadable.
const NOT_TAKEN: readonly number[] = [413, 415, 422];

const REFUSED = Symbol("a token is wanted");

// Where the browser has no storage (no HTTPS, a private window), nothing is kept.
async function keep(url: string, response: Response): Promise<void> {
  if (!("caches" in self)) return;
  // Reading both copies at once would hold the progress up: this one is read when it can be.
  const kept = await caches.open(KEPT).catch(() => null);
  if (!kept) return;
  const address = new URL(url, document.baseURI).href;
  kept.put(address, response).then(() => dropOlder(kept, address)).catch((error: unknown) => {
    console.warn(`${url} could not be kept:`, error);
  });
}

/** Drops what was kept under the same address with another SHA-256, or with none. */
async function dropOlder(kept: Cache, address: string): Promise<void> {
  for (const request of await kept.keys(address, { ignoreSearch: true })) {
    if (request.url !== address) await kept.delete(request);
  }
}

async function findKept(url: string): Promise<Response | null> {
  if (!("caches" in self)) return null;
  const kept = await caches.open(KEPT).catch(() => null);
  return (await kept?.match(new URL(url, document.baseURI))) ?? null;
}

/** A server may have changed its network since it described it. */
async function check(bytes: ArrayBuffer, sha256: string): Promise<void> {
  // Browsers have it where they have storage; where nothing is kept, the description is fresh.
  if (!crypto.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found === sha256) return;
  throw new UserError("The network was replaced while this page was open.", "Load the page again.");
}

/** Sends a request, and reads its answer. Gives up where nothing comes for `patienceMs`. */
async function send<Answer>(
  url: string,
  init: RequestInit,
  patienceMs: number,
  read: Read<Answer>,
): Promise<Answer | typeof REFUSED> {
  const { signal } = init;
  const ending = new AbortController();
  const stop = () => ending.abort(signal?.reason);
  let timer = 0;
  const alive = () => {
    self.clearTimeout(timer);
    timer = self.setTimeout(() => ending.abort(), patienceMs);
  };
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop);
  let begun = false;
  try {
    alive();
    // What is given up gives its connection back: a browser has six of them for a server.
    const response = await fetch(new URL(url, document.baseURI), { ...init, signal: ending.signal });
    begun = true;
    alive();
    if (response.status === 401) return REFUSED;
    if (!response.ok) throw await explain(response);
    return await read(response, alive);
  } catch (error) {
    if (signal?.aborted || error instanceof UserError) throw error;
    if (begun) throw new Unavailable("The answer did not come whole.", "Is the connection good?");
    throw new Unavailable("The server does not answer.", "Is it still running?");
  } finally {
    self.clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

async function readAll(response: Response, progress: Progress): Promise<ArrayBuffer> {
  // Of a compressed answer, the length says something else.
  const isPlain = !response.headers.get("Content-Encoding");
  const total = isPlain ? Number(response.headers.get("Content-Length") ?? 0) : 0;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  for (const reader = response.body!.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    loaded += value.length;
    progress(loaded, Math.max(total, loaded));
  }
  return new Blob(chunks).arrayBuffer();
}

/** Of a long answer, every part is a sign of life. */
async function readJson<Answer>(response: Response, alive: () => void): Promise<Answer> {
  return JSON.parse(new TextDecoder().decode(await readAll(response, alive))) as Answer;
}

async function explain(response: Response): Promise<UserError> {
  const retry = response.headers.get("Retry-After");
  const advice = retry ? `Try again in ${retry} s.` : "";
  const isNotTaken = NOT_TAKEN.includes(response.status);
  const Kind = isNotTaken ? NotTaken : UNAVAILABLE.includes(response.status) ? Unavailable : UserError;
  const remedies: readonly Remedy[] = [isNotTaken ? "use-device" : "retry"];
  try {
    const problem = (await response.json()) as { title: string; detail: string };
    return new Kind(`${problem.title}. ${problem.detail}`, advice, remedies);
  } catch {
    return new Kind(`The server answered with status ${response.status}.`, advice, remedies);
  }
}
