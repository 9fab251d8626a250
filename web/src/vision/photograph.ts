// Finding faces of any size in photographs: the same as mien.faces.photograph.
//
// A detector that reduces every picture to 640 pixels sees no face of 40 pixels in a photograph of 12
// megapixels. A photograph may take longer than a frame of a video, so it is searched at several
// sizes, the larger ones in tiles, which bounds the memory. The time grows with the pixels. Where all
// of that shows no face, one may fill the picture: a smaller size shows it.

import { keepsMargin, moved } from "./part";
import { reduceExactly, type Reduced, type View, viewOf } from "./view";
import { type Detection, overlap, sharedArea } from "./yunet";

const TILE_SIDE = 1536;
// Neighbouring tiles share this many pixels: a small face is whole in one of them.
const OVERLAP = 256;
// Faces up to this many pixels are sought in tiles; the next smaller size shows larger ones.
const LARGEST = 192;
// Longer side at which YuNet sees a face that fills the picture; at 640 it is too large.
const CLOSE_UP_SIDE = 320;
const SIZE_STEP = 4;
const SAME_FACE = 0.3;
// Part of the smaller box that lies in the other one from which the two are of one face.
const SAME_FACE_INSIDE = 0.6;
/** Photographs are reduced to this longer side: at most 35 tiles, some seconds each on a phone. */
export const LONGEST_SIDE = 8192;

export type Detect = (picture: Reduced) => Promise<Detection[]>;

/**
 * Finds the faces of a photograph, the largest first. `told` says after each part that was searched
 * how many there are; it may throw to break the search off.
 */
export async function findInPhotograph(
  view: View,
  detect: Detect,
  coarseSide: number,
  told: (done: number, total: number) => void | Promise<void>,
): Promise<Detection[]> {
  const sides = sidesOf(view, coarseSide);
  const total = 1 + sides.reduce((sum, side) => sum + countTiles(view, side), 0);
  let done = 0;
  const faces = await detect(reduceExactly(view, coarseSide));
  await told(++done, total);
  for (const side of sides) {
    const { sized, scale } = resized(view, side);
    for (const tile of tilesOf(sized)) {
      const image = sized.read(tile.left, tile.top, tile.width, tile.height);
      for (const found of await detect({ image, scale: 1 })) {
        const face = moved(found, tile.left, tile.top);
        if (isWholeAndSmall(face, tile, sized)) faces.push(enlarged(face, scale));
      }
      await told(++done, total);
    }
  }
  if (faces.length === 0 && Math.max(view.width, view.height) > CLOSE_UP_SIDE) {
    faces.push(...(await detect(reduceExactly(view, CLOSE_UP_SIDE))));
  }
  const kept = withoutDoubles(faces);
  return kept.sort((a, b) => b.box.width * b.box.height - a.box.width * a.box.height);
}

/** The sizes that are searched in tiles: their longer sides. */
function sidesOf({ width, height }: View, coarseSide: number): number[] {
  const sides: number[] = [];
  let side = Math.min(Math.max(width, height), LONGEST_SIDE);
  for (; side > coarseSide; side = Math.floor(side / SIZE_STEP)) sides.push(side);
  return sides;
}

function resized(view: View, side: number): { sized: View; scale: number } {
  // At its own size it need not be in memory as a whole.
  if (side === Math.max(view.width, view.height)) return { sized: view, scale: 1 };
  const { image, scale } = reduceExactly(view, side);
  return { sized: viewOf(image), scale };
}

function countTiles({ width, height }: View, side: number): number {
  const scale = side / Math.max(width, height);
  return tileStarts(Math.round(width * scale)).length * tileStarts(Math.round(height * scale)).length;
}

interface Tile {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

function tilesOf({ width, height }: View): Tile[] {
  return tileStarts(height).flatMap((top) =>
    tileStarts(width).map((left) => ({
      left,
      top,
      width: Math.min(TILE_SIDE, width - left),
      height: Math.min(TILE_SIDE, height - top),
    })),
  );
}

/** Where the tiles begin that cover a side, evenly spread, in pixels. */
export function tileStarts(side: number): number[] {
  const count = Math.max(Math.ceil((side - OVERLAP) / (TILE_SIDE - OVERLAP)), 1);
  const last = Math.max(side - TILE_SIDE, 0);
  return Array.from({ length: count }, (_, n) => Math.floor((last * n) / Math.max(count - 1, 1)));
}

function isWholeAndSmall({ box }: Detection, { left, top }: Tile, { width, height }: View): boolean {
  return (
    Math.max(box.width, box.height) <= LARGEST &&
    keepsMargin(
      { begin: box.x, end: box.x + box.width },
      { begin: left, end: left + TILE_SIDE },
      width,
    ) &&
    keepsMargin(
      { begin: box.y, end: box.y + box.height },
      { begin: top, end: top + TILE_SIDE },
      height,
    )
  );
}

function enlarged({ box, score, landmarks }: Detection, scale: number): Detection {
  const { x, y, width, height } = box;
  return {
    box: { x: x / scale, y: y / scale, width: width / scale, height: height / scale },
    score,
    landmarks: landmarks.map((value) => value / scale),
  };
}

/** Of boxes of the same face, the one with the best score. */
function withoutDoubles(faces: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    if (!kept.some((other) => isSame(face.box, other.box))) kept.push(face);
  }
  return kept;
}

function isSame(one: Detection["box"], other: Detection["box"]): boolean {
  const smaller = Math.min(one.width * one.height, other.width * other.height);
  return overlap(one, other) > SAME_FACE || sharedArea(one, other) > SAME_FACE_INSIDE * smaller;
}
