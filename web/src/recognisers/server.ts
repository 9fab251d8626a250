// "On the server": frames go to mien serve over a WebSocket, and the faces come back.

import { type Api, PHOTO_MS, type Progress, TokenWanted, Unavailable, VIDEO_MS } from "../api";
import { type ModelInfo, type Network, networkOf } from "../readings";
import { columnOf, wholeColumnOf } from "../record/table";
import {
  type FaceRecord,
  type Picture,
  type Recogniser,
  type Result,
  sizeOf,
  UserError,
} from "../types";
import { wordsOf } from "../view/words";

// Frames that go over a network are reduced to this longer side, as the server's detector does anyway.
const LONGEST_SIDE = 640;
const JPEG_QUALITY = 0.9;

/** A face as the server sends it: the probabilities lie beside the other columns. */
type FlatFace = Omit<FaceRecord, "shares" | "whole" | "temporal_sha256"> &
  Readonly<Record<string, number | string | boolean>>;

interface FlatResult {
  readonly width: number;
  readonly height: number;
  readonly faces: readonly FlatFace[];
}

/** What the server takes of a frame. */
interface FrameLimits {
  readonly frame_bytes: number;
  readonly frame_pixels: number;
}

/** RFC 9457, as the server sends it. */
interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly detail: string;
}

type Message =
  | { type: "ready"; limits: FrameLimits }
  | ({ type: "result"; frame: number } & FlatResult)
  | { type: "problem"; frame: number; problem: ProblemDocument }
  /** Of no frame: it ends the stream. */
  | { type: "problem"; frame?: undefined; problem: ProblemDocument };

// Why a server ends a stream that it would open again: it lasted long enough, or no frame came for long.
// The others, `bad-request` and `too-large`, are about what was sent, and would come again.
const MERELY_OVER: readonly string[] = ["urn:mien:problem:too-long", "urn:mien:problem:upload-too-slow"];

interface Job {
  readonly id: string;
  readonly state: "waiting" | "running" | "done" | "failed";
  readonly frames_done: number;
  readonly frames_total: number | null;
  readonly warning: string | null;
  readonly problem: ProblemDocument | null;
}

const POLL_MS = 400;
// A connection may fail for a while: so often in a row a question about a video is asked again, each
// time after twice the wait, of 100 s in all.
const MOST_REPEATS = 8;
// A server may take a connection and say nothing.
const READY_MS = 20_000;
// Of a server that answers, so many live connections in a row fail before it is said.
const MOST_REFUSALS = 3;
// While frames are under way, a result is due: a connection may fall silent without closing.
const SILENCE_MS = 10_000;

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
  readonly warning = "";
  readonly isBroken = false;
  readonly #canvas = new OffscreenCanvas(1, 1);
  #socket: WebSocket | null = null;
  // In the order of sending, which is the server's numbering.
  #sent = 0;
  #limits: FrameLimits = { frame_bytes: 0, frame_pixels: 0 };
  #waiting = new Map<number, Waiting>();
  #silence = 0;
  // Changes with every connection that is given up: what is still to come of it does not count.
  #generation = 0;
  #hasWorked = false;
  #refusals = 0;
  // Videos that the server has, though the connection to it failed.
  readonly #jobs = new WeakMap<File, Job>();

  readonly #network: Network;
  readonly #query: string;

  constructor(
    private readonly api: Api,
    private readonly model: ModelInfo,
    reading: string | null,
  ) {
    this.#network = networkOf(model, reading);
    this.#query = `?reading=${encodeURIComponent(this.#network.readingName)}`;
    this.description = `the server, detector ${model.server_detector}`;
  }

  async begin(): Promise<void> {
    this.disconnect();
    this.#checkReading();
    const generation = this.#generation;
    const url = await this.#streamUrl();
    if (generation !== this.#generation) throw new ConnectionLost();
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#sent = 0;
    let timer = 0;
    await new Promise<void>((resolve, reject) => {
      // Closing tells that nothing came, as it does when the server ends the stream.
      timer = self.setTimeout(() => socket.close(), READY_MS);
      socket.onmessage = ({ data }) => {
        this.#receive(JSON.parse(data as string) as Message);
        this.#hasWorked = true;
        resolve();
      };
      socket.onclose = () => {
        const isGivenUp = this.#socket !== socket;
        const error = isGivenUp || this.#hasWorked ? new ConnectionLost() : this.#refused();
        reject(error);
        if (!isGivenUp) this.#drop(error);
      };
    }).finally(() => self.clearTimeout(timer));
  }

  async recogniseFrame(
    picture: Picture,
    frame: number,
    timestampMs: number,
  ): Promise<Result | null> {
    const { width, height } = sizeOf(picture);
    const jpeg = await this.#encode(picture, width, height);
    const socket = this.#socket;
    if (!socket || socket.readyState !== WebSocket.OPEN) {
      throw new ConnectionLost();
    }
    const index = this.#sent++;
    socket.send(jpeg);
    return new Promise((done, failed) => {
      this.#waiting.set(index, { frame, timestampMs, width, height, done, failed });
      this.#expectAnswer();
    });
  }

  async recognisePhoto(file: Blob, _progress: Progress, signal: AbortSignal): Promise<Result> {
    const form = new FormData();
    form.append("files", file, "photo");
    const init = { method: "POST", body: form, signal };
    const url = `v1/images${this.#query}`;
    const answer = await this.api.json<{ images: FlatResult[] }>(url, init, PHOTO_MS);
    return this.#grouped(answer.images[0]!);
  }

  /** Hands a whole video in, and waits for its table; after a failed connection, goes on waiting. */
  async recogniseVideo(
    file: File,
    progress: (done: number, total: number | null) => void,
    signal: AbortSignal,
  ): Promise<{ faces: readonly FaceRecord[]; frames: number; warning: string | null }> {
    let job = this.#jobs.get(file) ?? (await this.#handIn(file, signal));
    this.#jobs.delete(file);
    const url = `v1/videos/${encodeURIComponent(job.id)}`;
    try {
      while (job.state === "waiting" || job.state === "running") {
        await pause(POLL_MS, signal);
        job = await this.#askAgain<Job>(url, signal);
        progress(job.frames_done, job.frames_total);
      }
      if (job.state === "failed") throw asError(job.problem!);
      const { faces } = await this.#askAgain<{ faces: FlatFace[] }>(`${url}/result`, signal);
      const grouped = this.#grouped({ width: 0, height: 0, faces }).faces;
      this.#forget(url);
      return { faces: grouped, frames: job.frames_done, warning: job.warning };
    } catch (error) {
      if (error instanceof Unavailable) this.#jobs.set(file, job);
      else this.#forget(url);
      throw error;
    }
  }

  async #handIn(file: File, signal: AbortSignal): Promise<Job> {
    const form = new FormData();
    form.append("file", file, "video");
    const init = { method: "POST", body: form, signal };
    return this.api.json<Job>(`v1/videos${this.#query}`, init, VIDEO_MS);
  }

  /** Asks until there is an answer, or there was none for long. */
  async #askAgain<Answer>(url: string, signal: AbortSignal): Promise<Answer> {
    for (let repeats = 0; ; repeats++) {
      try {
        return await this.api.json<Answer>(url, { signal });
      } catch (error) {
        if (!(error instanceof Unavailable) || repeats === MOST_REPEATS) throw error;
        await pause(POLL_MS * 2 ** repeats, signal);
      }
    }
  }

  /** The server forgets a video by itself, only later. */
  #forget(url: string): void {
    this.api.delete(url).catch(() => {});
  }

  /** Closes the stream; results that are still to come are passed over. */
  disconnect(): void {
    this.#generation++;
    for (const waiting of this.#waiting.values()) waiting.done(null);
    this.#waiting.clear();
    this.#drop(new ConnectionLost());
  }

  close(): void {
    this.disconnect();
  }

  /** A browser does not tell why a server refuses a WebSocket: says it before. */
  #checkReading(): void {
    const { temporal_sha256, reading } = this.model;
    if (!temporal_sha256 || this.#network.readingName === reading) return;
    throw new UserError(
      `The server reads live pictures in one way only: “${wordsOf(reading)}”.`,
      "Its temporal network knows no other. Choose that one, or recognise on this device.",
      ["use-device"],
    );
  }

  /** What a live connection says that closed before anything came, though the server gave a ticket. */
  #refused(): UserError {
    if (++this.#refusals < MOST_REFUSALS) return new ConnectionLost();
    this.#refusals = 0;
    return new UserError(
      "The server answers, but no live connection to it lasts.",
      "A proxy in between may not let WebSockets through. Photos and videos go another way.",
      ["retry", "use-device"],
    );
  }

  async #streamUrl(): Promise<string> {
    try {
      return await this.api.socketUrl(`v1/stream${this.#query}`);
    } catch (error) {
      // After a connection that worked, the server may come back, whatever a proxy says meanwhile.
      throw this.#hasWorked && !(error instanceof TokenWanted) ? new ConnectionLost() : error;
    }
  }

  #receive(message: Message): void {
    if (message.type === "ready") {
      this.#limits = message.limits;
      return;
    }
    if (message.frame === undefined) return this.#drop(asEnd(message.problem));
    // Frames before this one were passed over for newer ones.
    for (const [index, waiting] of this.#waiting) {
      if (index > message.frame) continue;
      this.#waiting.delete(index);
      if (index < message.frame) waiting.done(null);
      else if (message.type === "result") waiting.done(inPixelsOf(waiting, this.#grouped(message)));
      else waiting.failed(asError(message.problem));
    }
    this.#expectAnswer();
  }

  /** Waits again for the next answer, if one is due. */
  #expectAnswer(): void {
    self.clearTimeout(this.#silence);
    if (this.#waiting.size === 0) return;
    this.#silence = self.setTimeout(() => this.#drop(new ConnectionLost()), SILENCE_MS);
  }

  #drop(error: Error): void {
    const socket = this.#socket;
    this.#socket = null;
    self.clearTimeout(this.#silence);
    socket?.close();
    for (const waiting of this.#waiting.values()) {
      waiting.failed(error);
    }
    this.#waiting.clear();
  }

  #grouped({ width, height, faces }: FlatResult): Result {
    const { labels } = this.#network.reading;
    const grouped = faces.map((face) => {
      const named = (columnOf: (label: string) => string) =>
        Object.fromEntries(labels.map((label) => [label, Number(face[columnOf(label)])]));
      // Only rows that a temporal network made have it.
      const sha256 = (face["temporal_sha256"] as string | undefined) ?? null;
      const whole = sha256 === null ? null : named(wholeColumnOf);
      return { ...face, shares: named(columnOf), whole, temporal_sha256: sha256 };
    });
    return { width, height, faces: grouped };
  }

  /** The frame as a JPEG that the server takes: for a larger one it would close the connection. */
  async #encode(picture: Picture, width: number, height: number): Promise<Blob> {
    const { frame_bytes: mostBytes, frame_pixels: mostPixels } = this.#limits;
    const scale = Math.min(
      isThisMachine() ? 1 : LONGEST_SIDE / Math.max(width, height),
      Math.sqrt(mostPixels / (width * height)),
      1,
    );
    try {
      const jpeg = await this.#jpegOf(picture, width * scale, height * scale);
      if (jpeg.size <= mostBytes) return jpeg;
      // A little less than in proportion, as small pictures have more bytes to each pixel.
      const smaller = 0.9 * scale * Math.sqrt(mostBytes / jpeg.size);
      const second = await this.#jpegOf(picture, width * smaller, height * smaller);
      if (second.size <= mostBytes) return second;
      throw tooLarge(second.size, mostBytes);
    } finally {
      picture.close();
    }
  }

  #jpegOf(picture: Picture, width: number, height: number): Promise<Blob> {
    this.#canvas.width = Math.max(Math.floor(width), 1);
    this.#canvas.height = Math.max(Math.floor(height), 1);
    const context = this.#canvas.getContext("2d", { alpha: false })!;
    context.drawImage(picture, 0, 0, this.#canvas.width, this.#canvas.height);
    return this.#canvas.convertToBlob({ type: "image/jpeg", quality: JPEG_QUALITY });
  }
}

/** The stream ended by itself: another one may be opened. */
export class ConnectionLost extends UserError {
  constructor() {
    super("The connection to the server ended.", "It may be busy or gone.", ["retry", "use-device"]);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** Whether the page's server is this very machine, to which frames go as they are. */
function isThisMachine(): boolean {
  return /^((.*\.)?localhost|127\..*|\[::1\])$/.test(new URL(document.baseURI).hostname);
}

function tooLarge(bytes: number, mostBytes: number): UserError {
  return new UserError(
    "The server takes no frames of this size.",
    `One has ${bytes.toLocaleString("en")} bytes; at most ${mostBytes.toLocaleString("en")} there.`,
    ["use-device"],
  );
}

/** Why the server ended a stream. */
function asEnd(problem: ProblemDocument): UserError {
  return MERELY_OVER.includes(problem.type) ? new ConnectionLost() : asError(problem);
}

function asError(problem: ProblemDocument): UserError {
  return new UserError(`${problem.title}.`, problem.detail, ["retry", "use-device"]);
}

/** The result in pixels and times of the frame as it was before it was reduced for sending. */
function inPixelsOf(sent: Waiting, result: Result): Result {
  const scaleX = sent.width / result.width;
  const scaleY = sent.height / result.height;
  const faces = result.faces.map((face) => ({
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
