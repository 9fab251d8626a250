// "On this device": the networks run in the page, and no picture leaves it.

import type { Api } from "../api";
import { type ModelInfo, type Recogniser, type Result, UserError } from "../types";
import type { Answer, Request } from "./device.worker";
import DeviceWorker from "./device.worker?worker";

type Unnumbered = Request extends infer One ? (One extends Request ? Omit<One, "id"> : never) : never;

// The smallest module with a SIMD instruction: a function that returns a v128.
const SIMD_PROBE = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0],
  ...[65, 0, 253, 15, 253, 98, 11],
);

/** Runs the networks in a worker of the page. */
export class DeviceRecogniser implements Recogniser {
  readonly depth = 1;
  description = "";
  readonly #worker = new DeviceWorker();
  readonly #waiting = new Map<number, { done(answer: Answer): void; failed(error: Error): void }>();
  #next = 0;

  private constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      this.#waiting.get(data.id)?.done(data);
      this.#waiting.delete(data.id);
    };
    this.#worker.onerror = (event) => {
      this.#failAll(new UserError("Recognition on this device failed.", event.message ?? ""));
    };
  }

  /** Fetches the networks from the server and opens them. */
  static async open(api: Api, model: ModelInfo): Promise<DeviceRecogniser> {
    check(model);
    const urls = [model.page_detector!.url, model.url];
    const [detector, network] = await Promise.all(urls.map((url) => api.bytes(url)));
    const files = { detector: detector!, network: network! };
    const recogniser = new DeviceRecogniser();
    try {
      const request = { type: "open", model, files } as const;
      const answer = await recogniser.#ask(request, Object.values(files));
      if ("opened" in answer) recogniser.description = answer.opened.description;
    } catch (error) {
      recogniser.close();
      throw error;
    }
    return recogniser;
  }

  async begin(): Promise<void> {
    await this.#ask({ type: "begin" });
  }

  async recogniseFrame(picture: ImageBitmap, frame: number, timestampMs: number): Promise<Result> {
    return this.#result({ type: "frame", picture, frame, timestampMs }, picture);
  }

  async recognisePhoto(_: Blob, picture: ImageBitmap): Promise<Result> {
    return this.#result({ type: "photo", picture }, picture);
  }

  close(): void {
    this.#worker.terminate();
    this.#failAll(new UserError("Recognition was stopped."));
  }

  async #result(request: Unnumbered, picture: ImageBitmap): Promise<Result> {
    const answer = await this.#ask(request, [picture]);
    if ("result" in answer) return answer.result;
    throw new UserError("Recognition on this device failed.");
  }

  #ask(request: Unnumbered, transfer: Transferable[] = []): Promise<Answer> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {
        done: (answer) =>
          "failure" in answer
            ? reject(new UserError("Recognition on this device failed.", answer.failure))
            : resolve(answer),
        failed: reject,
      });
      this.#worker.postMessage({ ...request, id }, transfer);
    });
  }

  #failAll(error: Error): void {
    for (const { failed } of this.#waiting.values()) failed(error);
    this.#waiting.clear();
  }
}

function check(model: ModelInfo): void {
  if (typeof WebAssembly !== "object") {
    throw new UserError(
      "This browser has no WebAssembly, which recognition on this device needs.",
      "Use another browser, switch WebAssembly on, or recognise on the server.",
    );
  }
  if (!WebAssembly.validate(SIMD_PROBE)) {
    throw new UserError(
      "This browser's WebAssembly is too old (it has no SIMD).",
      "Update the browser, or recognise on the server.",
    );
  }
  if (!model.page_detector) {
    throw new UserError(
      "This server has no face detector for browsers.",
      "Whoever runs it can fetch it with “mien models download”. Until then, recognise on the server.",
    );
  }
}
