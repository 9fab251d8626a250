// "On the server": frames go to mien serve over a WebSocket, and the faces come back.

import type { Api } from "../api";
import { type FaceRecord, type ModelInfo, type Recogniser, type Result, UserError } from "../types";

// The server's detector reduces pictures to this size anyway.
const LONGEST_SIDE = 640;
const JPEG_QUALITY = 0.9;

type Message =
  | { type: "ready" }
  | { type: "result"; frame: number; width: number; height: number; faces: FaceRecord[] }
  | { type: "problem"; frame?: number; problem: { title: string; detail: string } };

interface Waiting {
  readonly frame: number;
  readonly timestampMs: number;
  readonly width: number;
  readonly height: number;
  done(result: Result | null): void;
  failed(error: Error): void;
}

/** Sends frames and photos to the server. */
export class ServerRecogniser implements Recogniser {
  // While one frame is recognised, the next is on its way.
  readonly depth = 2;
  readonly description: string;
  readonly #canvas = new OffscreenCanvas(1, 1);
  #socket: WebSocket | null = null;
  // In the order of sending, which is the server's numbering.
  #sent = 0;
  #waiting = new Map<number, Waiting>();
  #closed = false;

  constructor(
    private readonly api: Api,
    model: ModelInfo,
  ) {
    this.description = `server, detector ${model.server_detector}`;
  }

  async begin(): Promise<void> {
    this.#drop(new UserError("The stream was begun anew."));
    const socket = new WebSocket(await this.api.socketUrl("/v1/stream"));
    this.#socket = socket;
    this.#sent = 0;
    await new Promise<void>((resolve, reject) => {
      socket.onmessage = ({ data }) => {
        this.#receive(JSON.parse(data as string) as Message);
        resolve();
      };
      socket.onclose = () => {
        const error = new UserError(
          "The connection to the server ended.",
          "It may be busy or gone. Start again, or recognise on this device.",
        );
        reject(error);
        if (this.#socket === socket) this.#drop(error);
      };
    });
  }

  async recogniseFrame(
    picture: ImageBitmap,
    frame: number,
    timestampMs: number,
  ): Promise<Result | null> {
    const { width, height } = picture;
    const jpeg = await this.#encode(picture);
    const socket = this.#socket;
    if (!socket || socket.readyState !== WebSocket.OPEN) {
      throw new UserError("The connection to the server ended.", "Start again.");
    }
    const index = this.#sent++;
    socket.send(jpeg);
    return new Promise((done, failed) => {
      this.#waiting.set(index, { frame, timestampMs, width, height, done, failed });
    });
  }

  async recognisePhoto(file: Blob, picture: ImageBitmap): Promise<Result> {
    picture.close();
    const form = new FormData();
    form.append("files", file, "photo");
    const answer = await this.api.postForm<{ images: Result[] }>("/v1/images", form);
    return answer.images[0]!;
  }

  close(): void {
    this.#closed = true;
    this.#drop(new UserError("Recognition was stopped."));
  }

  #receive(message: Message): void {
    if (message.type === "ready") return;
    if (message.frame === undefined) {
      if (message.type === "problem") this.#drop(asError(message.problem));
      return;
    }
    // Frames before this one were passed over for newer ones.
    for (const [index, waiting] of this.#waiting) {
      if (index > message.frame) continue;
      this.#waiting.delete(index);
      if (index < message.frame) waiting.done(null);
      else if (message.type === "result") waiting.done(inPixelsOf(waiting, message));
      else waiting.failed(asError(message.problem));
    }
  }

  #drop(error: Error): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    for (const waiting of this.#waiting.values()) {
      if (this.#closed) waiting.done(null);
      else waiting.failed(error);
    }
    this.#waiting.clear();
  }

  async #encode(picture: ImageBitmap): Promise<Blob> {
    const scale = Math.min(LONGEST_SIDE / Math.max(picture.width, picture.height), 1);
    this.#canvas.width = Math.max(Math.round(picture.width * scale), 1);
    this.#canvas.height = Math.max(Math.round(picture.height * scale), 1);
    const context = this.#canvas.getContext("2d", { alpha: false })!;
    context.drawImage(picture, 0, 0, this.#canvas.width, this.#canvas.height);
    picture.close();
    return this.#canvas.convertToBlob({ type: "image/jpeg", quality: JPEG_QUALITY });
  }
}

function asError(problem: { title: string; detail: string }): UserError {
  return new UserError(`${problem.title}.`, problem.detail);
}

/** The result in pixels and times of the frame as it was before it was reduced for sending. */
function inPixelsOf(sent: Waiting, message: Extract<Message, { type: "result" }>): Result {
  const scaleX = sent.width / message.width;
  const scaleY = sent.height / message.height;
  const faces = message.faces.map((face) => ({
    ...face,
    frame: sent.frame,
    timestamp_ms: sent.timestampMs,
    x: face.x * scaleX,
    y: face.y * scaleY,
    width: face.width * scaleX,
    height: face.height * scaleY,
  }));
  return { width: sent.width, height: sent.height, faces };
}
