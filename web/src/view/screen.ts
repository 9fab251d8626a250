// The screen: a camera, a video or a still picture, and the boxes over it.

import type { FaceRecord, Picture, Result } from "../types";
import { sizeOf } from "../types";
import { Motion } from "./motion";
import { drawFaces, type Overlay } from "./overlay";

export class Screen {
  /** What is shown of faces. */
  result: Result | null = null;
  // The person's number; of faces that have none, minus the place in the list.
  #focus = 0;
  #motion = new Motion();

  constructor(
    readonly video: HTMLVideoElement,
    private readonly still: HTMLCanvasElement,
    private readonly overlay: Overlay,
  ) {}

  /** Shows the video element, or the still picture over it. */
  showVideo(isShown: boolean): void {
    this.video.hidden = !isShown;
    this.still.hidden = isShown;
  }

  setMirrored(mirrored: boolean): void {
    this.overlay.mirrored = mirrored;
    this.video.classList.toggle("mirrored", mirrored);
  }

  /** Copies a picture to the screen; it stays open. */
  drawStill(picture: Picture): void {
    const { width, height } = sizeOf(picture);
    if (this.still.width !== width || this.still.height !== height) {
      Object.assign(this.still, { width, height });
    }
    this.still.getContext("2d")!.drawImage(picture, 0, 0, width, height);
  }

  /** Shows a result of a live picture: its boxes move on until the next one. */
  showLive(result: Result): void {
    this.#motion.add(result);
    this.result = result;
  }

  /** Shows a result of a picture that stands still. */
  showFaces(result: Result | null): void {
    this.result = result;
  }

  clear(): void {
    this.result = null;
    this.#motion = new Motion();
    this.overlay.clear();
  }

  /** Draws the boxes where they should be now; true if there was anything to draw. */
  draw(timeMs: number | null): boolean {
    const { result } = this;
    const moved = result && timeMs !== null ? this.#motion.at(result, timeMs) : result;
    this.overlay.show(moved, moved ? this.#focused(moved.faces) : undefined, performance.now());
    return result !== null;
  }

  /** The face that was chosen, else the largest; and its place in the list. */
  focus(): { face: FaceRecord | undefined; index: number } {
    const faces = this.result?.faces ?? [];
    const face = this.#focused(faces);
    return { face, index: face ? faces.indexOf(face) : 0 };
  }

  focusOn(face: FaceRecord): void {
    this.#focus = focusKey(face, this.result?.faces.indexOf(face) ?? 0);
  }

  faceAt(clientX: number, clientY: number): FaceRecord | undefined {
    return this.result ? this.overlay.faceAt(this.result, clientX, clientY) : undefined;
  }

  /** The picture with its boxes, as a file; not mirrored. */
  snapshot(): Promise<Blob | null> {
    const source = this.video.hidden ? this.still : this.video;
    const canvas = document.createElement("canvas");
    canvas.width = "videoWidth" in source ? source.videoWidth : source.width;
    canvas.height = "videoHeight" in source ? source.videoHeight : source.height;
    const context = canvas.getContext("2d")!;
    context.drawImage(source, 0, 0);
    const { result } = this;
    if (result && result.width > 0) {
      drawFaces(context, result, canvas.width / result.width, Math.max(canvas.height / 540, 1));
    }
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  #focused(faces: readonly FaceRecord[]): FaceRecord | undefined {
    const chosen = faces.find((face, index) => focusKey(face, index) === this.#focus);
    if (chosen) return chosen;
    return faces.reduce<FaceRecord | undefined>(
      (best, face) => (best && areaOf(best) >= areaOf(face) ? best : face),
      undefined,
    );
  }
}

function focusKey(face: FaceRecord, index: number): number {
  return face.track_id || -1 - index;
}

function areaOf(face: FaceRecord): number {
  return face.width * face.height;
}
