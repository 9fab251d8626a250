// "On this device": the networks run in the page, and no picture leaves it.

import type { NetworkFile, Progress } from "../api";
import type { ModelInfo } from "../readings";
import { decodePhoto } from "../sources/photo";
import { type Picture, type Recogniser, type Result, UserError } from "../types";
import { keepFiles } from "../service_worker_client";
import type { Answer, Request } from "./device.worker";
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

// Threads may never start (on iOS, their workers can hang): then one has to do.
const OPEN_MS = 20_000;

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
  readonly #worker = new DeviceWorker();
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  private constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ("progress" in data) {
        const { done, total } = data.progress;
        return this.#waiting.get(data.id)?.progress?.(done, total);
      }
      this.#waiting.get(data.id)?.done(data);
      this.#waiting.delete(data.id);
    };
    this.#worker.onerror = (event) => this.#failAll(failure(event.message ?? ""));
  }

  /** Fetches the networks and opens them. */
  static async open(
    fetchFile: Fetch,
    model: ModelInfo,
    progress: Progress,
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
    const threads = mostThreads();
    const opened = await DeviceRecogniser.#tryOpen(model, files, threads);
    if (opened) return opened;
    const slower = await DeviceRecogniser.#tryOpen(model, files, 1);
    if (!slower) throw failure("The networks could not be opened in time.");
    slower.warning = "Threads do not start in this browser, so it is slower than it could be.";
    return slower;
  }

  /** Null where several threads did not start in time. */
  static async #tryOpen(
    model: ModelInfo,
    files: { detector: ArrayBuffer; network: ArrayBuffer },
    threads: number,
  ): Promise<DeviceRecogniser | null> {
    const recogniser = new DeviceRecogniser();
    let timer = 0;
    const late = new Promise<"late">((resolve) => {
      if (threads > 1) timer = self.setTimeout(() => resolve("late"), OPEN_MS);
    });
    try {
      const answer = await Promise.race([
        recogniser.#ask({ type: "open", model, files, threads }),
        late,
      ]);
      if (answer !== "late") {
        if ("opened" in answer) {
          recogniser.description = answer.opened.description;
          void keepFiles(answer.opened.files);
        }
        return recogniser;
      }
    } catch (error) {
      recogniser.close();
      if (threads === 1) throw error;
      return null;
    } finally {
      self.clearTimeout(timer);
    }
    recogniser.close();
    return null;
  }

  /** Chooses a reading; the artifact's default if null. */
  async readAs(reading: string | null): Promise<void> {
    await this.#ask({ type: "read-as", reading });
  }

  /** Calms labels by a network over time, from the next video on; by smoothing if null. */
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
    this.#worker.terminate();
    this.#failAll(new UserError("Recognition was stopped."));
  }

  async #result(request: Unnumbered, picture: Picture, progress?: Progress): Promise<Result> {
    const answer = await this.#ask(request, [picture], progress);
    if ("result" in answer) return answer.result;
    throw failure("");
  }

  #ask(request: Unnumbered, transfer: Transferable[] = [], progress?: Progress): Promise<Answer> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {
        done: (answer) =>
          "failure" in answer ? reject(failure(answer.failure)) : resolve(answer),
        failed: reject,
        progress,
      });
      this.#worker.postMessage({ ...request, id }, transfer);
    });
  }

  #failAll(error: Error): void {
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
