// The screen: a camera, a video or a still picture, and the boxes over it.

import type { FaceRecord, Picture, Result } from "../types";
import { sizeOf } from "../types";
import { Motion } from "./motion";
import { drawFaces, type Overlay } from "./overlay";

export class Screen {
  /** What is shown of faces. */
  result: Result | null = null;
  // "none": it is known that this browser cannot show the picture.
  #still: "coming" | "shown" | "none" = "coming";
  // The person's number; of faces that have none, minus the place in the list.
  #focus = 0;
  #motion = new Motion();

  constructor(
    readonly video: HTMLVideoElement,
    private readonly still: HTMLCanvasElement,
    private readonly overlay: Overlay,
  ) {}

  /** Whether there is a picture to see. */
  get hasPicture(): boolean {
    return this.video.hidden ? this.#still === "shown" : this.video.videoWidth > 0;
  }

  /** Whether there is none, as this browser cannot show it. */
  get isUnshowable(): boolean {
    return this.video.hidden && this.#still === "none";
  }

  /** Whether the boxes are to be drawn once more, though they are the same. */
  get isFading(): boolean {
    return this.overlay.isFading;
  }

  /** Shows the video element instead of a still picture. */
  showVideo(): void {
    this.video.hidden = false;
    this.still.hidden = true;
  }

  /** Empties the screen for the still picture that is to come: faces belong to one picture only. */
  expectStill(): void {
    this.clear();
    this.video.hidden = true;
    this.still.hidden = false;
    this.#still = "coming";
    const { width, height } = this.still;
    this.still.getContext("2d")!.clearRect(0, 0, width, height);
  }

  /** Leaves the screen empty, as this browser cannot show the picture. */
  showNoStill(): void {
    this.expectStill();
    this.#still = "none";
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
    this.#still = "shown";
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

  /** The picture with its boxes, as a file; not mirrored. Null where there is none. */
  async snapshot(): Promise<Blob | null> {
    if (!this.hasPicture) return null;
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
