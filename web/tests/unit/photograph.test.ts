// Faces of all sizes in photographs, without a network.

import { describe, expect, it } from "vitest";
import { findInPhotograph, LONGEST_SIDE, tileStarts } from "../../src/vision/photograph";
import type { Reduced, View } from "../../src/vision/view";
import type { Detection } from "../../src/vision/yunet";

const COARSE = 640;

function face(x: number, y: number, side: number, score = 0.9): Detection {
  return { box: { x, y, width: side, height: side }, score, landmarks: [x, y, x + side, y + side] };
}

/** A blank photograph that notes which of its parts were read. */
function photograph(width: number, height: number, reads: [number, number][]): View {
  return {
    width,
    height,
    read(left, top, partWidth, partHeight) {
      reads.push([left, top]);
      const data = new Uint8ClampedArray(4 * partWidth * partHeight);
      return { data, width: partWidth, height: partHeight, channels: 4 };
    },
  };
}

/** A detector that knows where faces are, and sees those that are large enough in what it is shown. */
function detectorOf(faces: readonly Detection[], reads: [number, number][]) {
  return async ({ image, scale }: Reduced): Promise<Detection[]> => {
    if (scale < 1) return faces.filter(({ box }) => box.width * scale >= 20);
    // The photograph at a quarter of its size.
    if (image.width === 1000) return faces.map(({ box }) => face(box.x / 4, box.y / 4, box.width / 4, 0.8)).slice(-1);
    const [left, top] = reads.at(-1)!;
    return faces
      .map(({ box, score }) => face(box.x - left, box.y - top, box.width, score))
      .filter(({ box: { x, y, width } }) => x + width > 0 && y + width > 0 && x < image.width && y < image.height);
  };
}

describe("a photograph of 12 megapixels", () => {
  it("is searched until its small faces are found, each of them once", async () => {
    const reads: [number, number][] = [];
    const small = [100, 1270, 1400, 2500, 3940].flatMap((x) => [50, 1290, 2950].map((y) => face(x, y, 40)));
    const faces = [...small, face(1800, 700, 700)];
    const told: [number, number][] = [];
    const found = await findInPhotograph(
      photograph(4000, 3000, reads),
      detectorOf(faces, reads),
      COARSE,
      (done, total) => void told.push([done, total]),
    );
    expect(found.map(({ box }) => box.width)).toEqual([700, ...small.map(() => 40)]);
    expect(new Set(found.map(({ box: { x, y } }) => `${x},${y}`)).size).toBe(16);
    // 9 tiles at its own size, 1 at a quarter, and the whole.
    expect(told).toHaveLength(11);
    expect(told.at(-1)).toEqual([11, 11]);
  });

  it("is left at once when the search is broken off", async () => {
    const reads: [number, number][] = [];
    const stop = () => {
      if (reads.length > 2) throw new Error("stopped");
    };
    const search = findInPhotograph(photograph(4000, 3000, reads), detectorOf([], reads), COARSE, stop);
    await expect(search).rejects.toThrow("stopped");
    expect(reads.length).toBe(3);
  });
});

it("a small photo is searched once", async () => {
  const reads: [number, number][] = [];
  const told: number[] = [];
  const detect = detectorOf([face(10, 10, 60)], [[0, 0]]);
  const found = await findInPhotograph(photograph(600, 400, reads), detect, COARSE, (done) => void told.push(done));
  expect(found).toHaveLength(1);
  expect(told).toEqual([1]);
});

it("a face that fills a large photo is found, though only a small picture shows it", async () => {
  const detect = async ({ image }: Reduced) => (image.width > 400 ? [] : [face(0, 0, 1000)]);
  const found = await findInPhotograph(photograph(1000, 1000, []), detect, COARSE, () => {});
  expect(found).toEqual([face(0, 0, 1000)]);
});

describe("tiles", () => {
  it("cover every side and share enough for a small face", () => {
    for (const side of [100, 1536, 1537, 4000, LONGEST_SIDE]) {
      const starts = tileStarts(side);
      expect(starts[0]).toBe(0);
      expect(starts.at(-1)! + 1536).toBeGreaterThanOrEqual(side);
      for (let i = 1; i < starts.length; i++) expect(starts[i]! - starts[i - 1]!).toBeLessThanOrEqual(1280);
    }
    // So that a photograph is never more than these parts.
    expect(tileStarts(LONGEST_SIDE).length ** 2).toBeLessThanOrEqual(49);
  });
});
