// Frames as cameras and decoders give them: brightness, and two planes of colours of half its size.

import type { Grey } from "./flow";
import type { Pixels } from "./resize";

/** The three planes of a frame. */
export interface Planes {
  readonly y: Grey;
  readonly u: Grey;
  readonly v: Grey;
  readonly colours: Colours;
  /** Colour pixels for each pixel of brightness, along a side: a half, or 1 in a reduced frame. */
  readonly share: 0.5 | 1;
}

/** How to make red, green and blue: factors in 65536ths, and the brightness of black. */
interface Colours {
  readonly black: number;
  readonly y: number;
  readonly redV: number;
  readonly greenU: number;
  readonly greenV: number;
  readonly blueU: number;
}

/** Copies the planes of a frame; null if it has other ones. */
export async function openPlanes(frame: VideoFrame): Promise<Planes | null> {
  const { format, visibleRect } = frame;
  if ((format !== "I420" && format !== "NV12") || !visibleRect) return null;
  const { width, height } = visibleRect;
  // Pixels that are not square, and frames that are turned, are left to the canvas.
  if (frame.displayWidth !== width || frame.displayHeight !== height) return null;
  const bytes = new Uint8Array(frame.allocationSize());
  const layout = await frame.copyTo(bytes);
  const [halfWidth, halfHeight] = [(width + 1) >> 1, (height + 1) >> 1];
  const plane = (index: number, columns: number, rows: number, first: number, step: number): Grey => {
    const { offset, stride } = layout[index]!;
    if (step === 1 && stride === columns) {
      return { data: bytes.subarray(offset, offset + columns * rows), width: columns, height: rows };
    }
    const data = new Uint8Array(columns * rows);
    for (let y = 0, at = 0; y < rows; y++) {
      let from = offset + y * stride + first;
      for (let x = 0; x < columns; x++, from += step) data[at++] = bytes[from]!;
    }
    return { data, width: columns, height: rows };
  };
  const isPlanar = format === "I420";
  return {
    y: plane(0, width, height, 0, 1),
    u: plane(1, halfWidth, halfHeight, 0, isPlanar ? 1 : 2),
    v: isPlanar ? plane(2, halfWidth, halfHeight, 0, 1) : plane(1, halfWidth, halfHeight, 1, 2),
    colours: coloursOf(frame.colorSpace, height),
    share: 0.5,
  };
}

/** ITU-R BT.601 or BT.709; where the frame does not say, by its size, as players do. */
function coloursOf({ matrix, fullRange }: VideoColorSpace, height: number): Colours {
  const isHd = matrix === "bt709" || (!matrix && height >= 720);
  const [red, blue] = isHd ? [0.2126, 0.0722] : [0.299, 0.114];
  const green = 1 - red - blue;
  const [black, luma, chroma] = fullRange ? [0, 1, 1] : [16, 255 / 219, 255 / 224];
  const fixed = (value: number) => Math.round(value * 65536);
  return {
    black,
    y: fixed(luma),
    redV: fixed(2 * (1 - red) * chroma),
    greenU: fixed(((-2 * (1 - blue) * blue) / green) * chroma),
    greenV: fixed(((-2 * (1 - red) * red) / green) * chroma),
    blueU: fixed(2 * (1 - blue) * chroma),
  };
}

/** Reads a part as RGBA. */
export function readRgba(
  { y, u, v, colours, share }: Planes,
  left: number,
  top: number,
  width: number,
  height: number,
): Pixels {
  const data = new Uint8ClampedArray(width * height * 4);
  const shift = share === 1 ? 0 : 1;
  for (let row = 0, at = 0; row < height; row++) {
    const from = (top + row) * y.width + left;
    const colourRow = Math.min((top + row) >> shift, u.height - 1) * u.width;
    for (let column = 0; column < width; column++, at += 4) {
      const colour = colourRow + Math.min((left + column) >> shift, u.width - 1);
      const light = (y.data[from + column]! - colours.black) * colours.y + 32768;
      const [blueness, redness] = [u.data[colour]! - 128, v.data[colour]! - 128];
      data[at] = (light + redness * colours.redV) >> 16;
      data[at + 1] = (light + blueness * colours.greenU + redness * colours.greenV) >> 16;
      data[at + 2] = (light + blueness * colours.blueU) >> 16;
      data[at + 3] = 255;
    }
  }
  return { data, width, height, channels: 4 };
}
