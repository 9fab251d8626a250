// What is written over the picture.

import { describe, expect, it } from "vitest";
import type { FaceRecord } from "../../src/types";
import { drawFaces } from "../../src/view/overlay";

/** A canvas that keeps the texts, with letters of one width. */
function canvasFor(width: number, height: number) {
  const written: string[] = [];
  const context = {
    canvas: { width, height },
    measureText: (text: string) => ({ width: 8 * text.length }),
    fillText: (text: string) => written.push(text),
    beginPath: () => {},
    roundRect: () => {},
    stroke: () => {},
    fill: () => {},
    fillRect: () => {},
  };
  return { written, context: context as unknown as CanvasRenderingContext2D };
}

function face(track_id: number, x: number, uncertain = false): FaceRecord {
  const missed_limits = uncertain ? "min_side_px 17.2 < 20" : null;
  const place = { x, y: 200, width: 150, height: 150 };
  return { track_id, ...place, emotion: "happy", confidence: 0.924, uncertain, missed_limits } as FaceRecord;
}

function labels(...faces: FaceRecord[]): string[] {
  const { context, written } = canvasFor(1280, 720);
  drawFaces(context, { width: 1280, height: 720, faces }, 1, 1);
  return written;
}

describe("labels", () => {
  it("say who is who where several people are followed", () => {
    expect(labels(face(1, 200), face(3, 800, true))).toEqual(["#1 Happy 92%", "#3 Happy? 92% small"]);
  });

  it("have no numbers of one person, or in a photo", () => {
    expect(labels(face(1, 200))).toEqual(["Happy 92%"]);
    expect(labels(face(0, 200), face(0, 800))).toEqual(["Happy 92%", "Happy 92%"]);
  });
});
