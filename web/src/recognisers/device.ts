// "On this device": the networks run in the page, and no picture leaves it.

import type { NetworkFile, Progress } from "../api";
import type { ModelInfo } from "../readings";
import { decodePhoto } from "../sources/photo";
import { type Picture, type Recogniser, type Result, UserError } from "../types";
import { keepFiles } from "../service_worker_client";
import type { Answer, OpenRequest, Request } from "./device.worker";
import DeviceWorker from "./device.worker?worker";
import { mostThreads } from "./runtime";

type Unnumbered = Request extends infer One ? (One extends Request ? Omit<One, "id"> : never) : never;

/** Somebody who waits for an answer of the worker. */
interface Waiting {
  done(answer: Answer): void;
  failed(error: Error): void;
  readonly progress: Progress | undefined;
}

/** Fetches a file, and tells how far it is. */
export type Fetch = (file: NetworkFile, progress: Progress) => Promise<ArrayBuffer>;

// Threads may never start (on iOS, their workers can hang), nor a graphics card: then WebAssembly with
// one thread has to do.
const OPEN_MS = 20_000;
// A browser that has no memory left may end a worker without a word. A photo's part can take long on a
// phone; the time in which the computer sleeps is one tick.
const TICK_MS = 10_000;
const MOST_SILENT_TICKS = 6;

// The smallest module with a SIMD instruction: a function that returns a v128.
const SIMD_PROBE = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0],
  ...[65, 0, 253, 15, 253, 98, 11],
);

/** Runs the networks in a worker of the page. */
export class DeviceRecogniser implements Recogniser {
  // While one frame is recognised, the next one waits: a search for faces takes several frames.
  readonly depth = 2;
  description = "";
  warning = "";
  isBroken = false;
  /** Whether the one after this one may try the graphics card, should this one break. */
  nextMayUseGpu = true;
  readonly #worker = new DeviceWorker();
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #silence = 0;
  #toldOfNoGpu = () => {};

  private constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => this.#receive(data);
    this.#worker.onerror = (event) => this.#break(event.message ?? "");
  }

  #receive(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    if ("failure" in answer) return this.#break(answer.failure);
    if ("hasNoGpu" in answer) return this.#toldOfNoGpu();
    if ("progress" in answer) waiting?.progress?.(answer.progress.done, answer.progress.total);
    else {
      this.#waiting.delete(answer.id);
      waiting?.done(answer);
    }
    this.#expectAnswer();
  }

  /** Waits again for a sign of life, if an answer is due. */
  #expectAnswer(): void {
    self.clearInterval(this.#silence);
    if (this.#waiting.size === 0) return;
    let ticks = 0;
    this.#silence = self.setInterval(() => {
      if (++ticks === MOST_SILENT_TICKS) this.#break("It does not answer any more.");
    }, TICK_MS);
  }

  /** Ends what failed once: a lost graphics card, or WebAssembly that broke off, never works again. */
  #break(detail: string): void {
    this.isBroken = true;
    this.#end(failure(detail));
  }

  /** Fetches the networks and opens them, unless it is broken off: then nothing of it is left. */
  static async open(
    fetchFile: Fetch,
    model: ModelInfo,
    mayUseGpu: boolean,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<DeviceRecogniser> {
    check(model);
    const wanted: NetworkFile[] = [model.page_detector!, model];
    const parts = wanted.map(() => ({ loaded: 0, total: 0 }));
    const fetched = wanted.map((file, i) =>
      fetchFile(file, (loaded, total) => {
        parts[i] = { loaded, total };
        const sum = (key: "loaded" | "total") => parts.reduce((a, part) => a + part[key], 0);
        progress(sum("loaded"), sum("total"));
      }),
    );
    const [detector, network] = await Promise.all(fetched);
    const files = { detector: detector!, network: network! };
    const request = { type: "open", model, files, mayUseGpu, threads: mostThreads() } as const;
    const opened = await DeviceRecogniser.#tryOpen(request, signal);
    if (opened) return opened;
    const last = { ...request, threads: 1, mayUseGpu: false };
    const slower = await DeviceRecogniser.#tryOpen(last, signal);
    if (!slower) throw failure("The networks could not be opened in time.");
    const fault =
      request.threads > 1
        ? "Threads do not start in this browser, or its graphics card does not"
        : "This browser's graphics card does not start";
    slower.warning = `${fault}: it is slower than it could be.`;
    return slower;
  }

  /** Null where several threads or a graphics card did not start, or not in time: one can do without. */
  static async #tryOpen(
    request: Omit<OpenRequest, "id">,
    signal: AbortSignal,
  ): Promise<DeviceRecogniser | null> {
    signal.throwIfAborted();
    const { threads, mayUseGpu } = request;
    // Whether there is nothing to do without.
    let isLeast = threads === 1 && !mayUseGpu;
    const recogniser = new DeviceRecogniser();
    const stop = () => recogniser.close();
    signal.addEventListener("abort", stop, { once: true });
    let timer = 0;
    const late = new Promise<"late">((resolve) => {
      if (!isLeast) timer = self.setTimeout(() => resolve("late"), OPEN_MS);
    });
    recogniser.#toldOfNoGpu = () => {
      isLeast = threads === 1;
      // What is left to wait for is fetched, which may take long.
      if (isLeast) self.clearTimeout(timer);
    };
    try {
      const answer = await Promise.race([recogniser.#ask(request), late]);
      if (answer !== "late") {
        if ("opened" in answer) {
          recogniser.description = answer.opened.description;
          // A browser that lost its graphics card may lose it again.
          recogniser.nextMayUseGpu = mayUseGpu && !answer.opened.isOnGpu;
          void keepFiles(answer.opened.files);
        }
        return recogniser;
      }
    } catch (error) {
      recogniser.close();
      if (isLeast) throw error;
      return null;
    } finally {
      signal.removeEventListener("abort", stop);
      self.clearTimeout(timer);
    }
    recogniser.close();
    return null;
  }

  /** Chooses a reading; the artifact's default if null. */
  async readAs(reading: string | null): Promise<void> {
    await this.#ask({ type: "read-as", reading });
  }

  /** Calms labels by a temporal network, from the next video on; by smoothing if null. */
  async calmBy(temporal: ArrayBuffer | null): Promise<void> {
    await this.#ask({ type: "calm-by", temporal });
  }

  async begin(isLive: boolean): Promise<void> {
    await this.#ask({ type: "begin", isLive });
  }

  async recogniseFrame(picture: Picture, frame: number, timestampMs: number): Promise<Result> {
    return this.#result({ type: "frame", picture, frame, timestampMs }, picture);
  }

  async recognisePhoto(file: Blob, progress: Progress, signal: AbortSignal): Promise<Result> {
    const picture = await decodePhoto(file);
    if (signal.aborted) picture.close();
    signal.throwIfAborted();
    const id = this.#next;
    const stop = () => this.#worker.postMessage({ type: "stop-photo", id } satisfies Request);
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await this.#result({ type: "photo", picture }, picture, progress);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  close(): void {
    this.#end(new UserError("Recognition was stopped."));
  }

  async #result(request: Unnumbered, picture: Picture, progress?: Progress): Promise<Result> {
    try {
      const answer = await this.#ask(request, [picture], progress);
      if ("result" in answer) return answer.result;
      throw new UserError("Recognition was stopped.");
    } finally {
      // Where it was sent to the worker, nothing of it is left here.
      picture.close();
    }
  }

  #ask(request: Unnumbered, transfer: Transferable[] = [], progress?: Progress): Promise<Answer> {
    if (this.isBroken) return Promise.reject(failure(""));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { done: resolve, failed: reject, progress });
      this.#worker.postMessage({ ...request, id }, transfer);
      // Opening fetches ONNX Runtime, which may take long and gives no sign of life. What is asked
      // while an answer is due gives it no more time.
      if (request.type !== "open" && this.#waiting.size === 1) this.#expectAnswer();
    });
  }

  #end(error: Error): void {
    this.#worker.terminate();
    self.clearInterval(this.#silence);
    for (const { failed } of this.#waiting.values()) failed(error);
    this.#waiting.clear();
  }
}

function failure(detail: string): UserError {
  return new UserError("Recognition on this device failed.", detail, ["retry", "use-server"]);
}

function check(model: ModelInfo): void {
  if (typeof WebAssembly !== "object") {
    throw new UserError(
      "This browser has no WebAssembly, which recognition on this device needs.",
      "Use another browser, switch WebAssembly on, or recognise on the server.",
      ["use-server"],
    );
  }
  if (!WebAssembly.validate(SIMD_PROBE)) {
    throw new UserError(
      "This browser's WebAssembly is too old (it has no SIMD).",
      "Update the browser, or recognise on the server.",
      ["use-server"],
    );
  }
  if (!model.page_detector) {
    throw new UserError(
      "This server has no face detector for browsers.",
      "Whoever runs it can fetch it with “mien models download”. Until then, recognise on the server.",
      ["use-server"],
    );
  }
}
