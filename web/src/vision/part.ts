// Faces that were found in a part of a picture: where they lie in the whole, and which are whole.
// The same as mien.faces.part.
//
// A face that the edge of a part cuts gives a plausible smaller box around the piece.

import type { Detection } from "./yunet";

// Closer to where a part was cut off than this part of its side, a box may be a piece of a face.
const MARGIN = 1 / 4;

/** A face of a part in the pixels of the picture, whose part begins at `left`, `top`. */
export function moved(face: Detection, left: number, top: number): Detection {
  return {
    ...face,
    box: { ...face.box, x: face.box.x + left, y: face.box.y + top },
    landmarks: face.landmarks.map((value, i) => value + (i % 2 === 0 ? left : top)),
  };
}

/** Where a box or a part begins and ends, along one side of the picture, in pixels. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

/** Whether a box keeps its margin from a part's ends; the picture's own edges need none. */
export function keepsMargin(box: Span, part: Span, whole: number): boolean {
  const margin = MARGIN * (box.end - box.begin);
  return (
    (part.begin === 0 || box.begin >= part.begin + margin) &&
    (part.end >= whole || box.end <= part.end - margin)
  );
}
