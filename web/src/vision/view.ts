// A picture that is read piece by piece: a frame is large, and little of it is looked at closely.

import { type Picture, sizeOf } from "../types";
import { type Grey, halve } from "./flow";
import { type Pixels, reduce, resizeLinear } from "./resize";
import { openPlanes, type Planes, readRgba } from "./yuv";

/** A picture whose parts can be read as RGBA. */
export interface View {
  readonly width: number;
  readonly height: number;
  /** Reads a part that lies within the picture. */
  read(left: number, top: number, width: number, height: number): Pixels;
}

/** A picture made smaller: new size through old, at most 1. */
export interface Reduced {
  readonly image: Pixels;
  readonly scale: number;
}

/** A frame of a video, which is also made smaller: as fast as can be, not to the pixel. */
export interface FrameView extends View {
  /** The brightness of all of it, halved so many times. */
  grey(halvings: number): Grey;
  /** A part, halved so many times. */
  halved(left: number, top: number, width: number, height: number, halvings: number): Pixels;
}

/** Reads frames; what it needs for that is kept from frame to frame. */
export class FrameReader {
  readonly #canvas = new CanvasReader();

  /** Takes a frame in and closes it. The view is good until the next frame. */
  async open(picture: Picture): Promise<FrameView> {
    // What a decoder or a camera gives can be read as it is, without a detour over a canvas.
    const planes = "copyTo" in picture ? await openPlanes(picture) : null;
    if (!planes) return this.#canvas.open(picture);
    picture.close();
    return new PlanesView(planes);
  }

  /** Takes a still picture in, whose pixels are to be the same as Python's, and closes it. */
  openStill(picture: Picture): FrameView {
    return this.#canvas.open(picture);
  }
}

/** Reduces a part of a frame until its longer side has at most so many pixels. */
export function reducePart(
  frame: FrameView,
  part: { left: number; top: number; width: number; height: number },
  longestSide: number,
): Reduced {
  const { left, top, width, height } = part;
  const scale = Math.min(longestSide / Math.max(width, height), 1);
  const halvings = Math.floor(Math.log2(1 / scale) + 1e-6);
  const image = frame.halved(left, top, width, height, halvings);
  if (Math.max(image.width, image.height) <= longestSide) return { image, scale: 2 ** -halvings };
  const size = [width, height].map((side) => Math.max(Math.round(side * scale), 1));
  return { image: resizeLinear(image, size[0]!, size[1]!), scale };
}

/** Reduces all of a picture exactly as Python does. */
export function reduceExactly(view: View, longestSide: number): Reduced {
  return reduce(view.read(0, 0, view.width, view.height), longestSide);
}

/** A view of pixels that are in memory. */
export function viewOf({ data, width, height }: Pixels): View {
  return {
    width,
    height,
    read(left, top, partWidth, partHeight) {
      const part = new Uint8ClampedArray(4 * partWidth * partHeight);
      for (let y = 0; y < partHeight; y++) {
        const from = 4 * ((top + y) * width + left);
        part.set(data.subarray(from, from + 4 * partWidth), 4 * y * partWidth);
      }
      return { data: part, width: partWidth, height: partHeight, channels: 4 };
    },
  };
}

/** A frame in the planes of its decoder. */
class PlanesView implements FrameView {
  readonly width: number;
  readonly height: number;
  // Each half of the one before.
  readonly #levels: Planes[];

  constructor(planes: Planes) {
    this.width = planes.y.width;
    this.height = planes.y.height;
    this.#levels = [planes];
  }

  read(left: number, top: number, width: number, height: number): Pixels {
    return readRgba(this.#levels[0]!, left, top, width, height);
  }

  grey(halvings: number): Grey {
    return this.#level(halvings).y;
  }

  halved(left: number, top: number, width: number, height: number, halvings: number): Pixels {
    const scale = 2 ** halvings;
    const planes = this.#level(halvings);
    const [newLeft, newTop] = [Math.floor(left / scale), Math.floor(top / scale)];
    return readRgba(
      planes,
      newLeft,
      newTop,
      Math.min(Math.max(Math.floor(width / scale), 1), planes.y.width - newLeft),
      Math.min(Math.max(Math.floor(height / scale), 1), planes.y.height - newTop),
    );
  }

  #level(halvings: number): Planes {
    while (this.#levels.length <= halvings) {
      const { y, u, v, colours } = this.#levels.at(-1)!;
      const isWhole = this.#levels.length > 1;
      // Colours have half of the brightness's size already: the first halving leaves them alone.
      this.#levels.push(
        isWhole
          ? { y: halve(y), u: halve(u), v: halve(v), colours, share: 1 }
          : { y: halve(y), u, v, colours, share: 1 },
      );
    }
    return this.#levels[halvings]!;
  }
}

type Context = OffscreenCanvasRenderingContext2D;

/** Reads any picture by drawing it. */
class CanvasReader {
  readonly #full = newContext();
  readonly #part = newContext();

  open(picture: Picture): FrameView {
    const { width, height } = sizeOf(picture);
    resizeTo(this.#full, width, height);
    this.#full.drawImage(picture, 0, 0, width, height);
    picture.close();
    return new CanvasView(this.#full, this.#part, width, height);
  }
}

class CanvasView implements FrameView {
  constructor(
    private readonly full: Context,
    private readonly part: Context,
    readonly width: number,
    readonly height: number,
  ) {}

  read(left: number, top: number, width: number, height: number): Pixels {
    const { data } = this.full.getImageData(left, top, width, height);
    return { data, width, height, channels: 4 };
  }

  grey(halvings: number): Grey {
    const { data, width, height } = this.halved(0, 0, this.width, this.height, halvings);
    const grey = new Uint8Array(width * height);
    for (let i = 0, at = 0; i < grey.length; i++, at += 4) {
      grey[i] = (data[at]! * 9798 + data[at + 1]! * 19235 + data[at + 2]! * 3735 + 16384) >> 15;
    }
    return { data: grey, width, height };
  }

  halved(left: number, top: number, width: number, height: number, halvings: number): Pixels {
    if (halvings === 0) return this.read(left, top, width, height);
    const newWidth = Math.max(width >> halvings, 1);
    const newHeight = Math.max(height >> halvings, 1);
    resizeTo(this.part, newWidth, newHeight);
    this.part.drawImage(this.full.canvas, left, top, width, height, 0, 0, newWidth, newHeight);
    const { data } = this.part.getImageData(0, 0, newWidth, newHeight);
    return { data, width: newWidth, height: newHeight, channels: 4 };
  }
}

function newContext(): Context {
  return new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true, alpha: false })!;
}

function resizeTo({ canvas }: Context, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
