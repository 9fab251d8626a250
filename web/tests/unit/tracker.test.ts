// Faces that move are followed without a detector, over made pictures whose motion is known.

import { describe, expect, it } from "vitest";
import { follow, type Grey, pyramidOf } from "../../src/vision/flow";
import { FaceTracker } from "../../src/vision/tracker";
import type { Detection } from "../../src/vision/yunet";

const [WIDTH, HEIGHT] = [320, 180];

/** A wall with a patterned square, at a place and of a size. */
function picture(left: number, top: number, side: number): Grey {
  const data = new Uint8Array(WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const [u, v] = [(x - left) / side, (y - top) / side];
      const isInside = u >= 0 && u < 1 && v >= 0 && v < 1;
      const pattern = 128 + 60 * Math.sin(u * 17) * Math.cos(v * 13) + 50 * Math.sin(u * v * 25);
      data[y * WIDTH + x] = isInside ? pattern : 90 + 20 * Math.sin(x / 9) * Math.cos(y / 7);
    }
  }
  return { data, width: WIDTH, height: HEIGHT };
}

function faceAt(x: number, y: number, side: number): Detection {
  const landmarks = [0.3, 0.4, 0.7, 0.4, 0.5, 0.6, 0.35, 0.8, 0.65, 0.8];
  return {
    box: { x, y, width: side, height: side },
    score: 0.9,
    landmarks: landmarks.map((part, i) => (i % 2 === 0 ? x : y) + part * side),
  };
}

describe("optical flow", () => {
  it.each([
    [0, 0],
    [0.4, -0.3],
    [5, 3],
    [-9, 6],
  ])("finds a shift of %f and %f pixels", (shiftX, shiftY) => {
    const before = pyramidOf(picture(100, 50, 80));
    const after = pyramidOf(picture(100 + shiftX, 50 + shiftY, 80));
    const starts = Float32Array.of(130, 80, 150, 95, 120, 110);
    const { ends, good } = follow(before, after, starts);
    expect([...good]).toEqual([1, 1, 1]);
    ends.forEach((end, i) => {
      expect(end - starts[i]!).toBeCloseTo(i % 2 === 0 ? shiftX : shiftY, 0);
    });
  });

  it("does not trust a point whose surroundings are gone", () => {
    const flat = { data: new Uint8Array(WIDTH * HEIGHT).fill(90), width: WIDTH, height: HEIGHT };
    const { good } = follow(pyramidOf(picture(100, 50, 80)), pyramidOf(flat), Float32Array.of(140, 90));
    expect([...good]).toEqual([0]);
  });
});

describe("a crowd", () => {
  it("keeps its numbers and is handed out whole", () => {
    const tracker = new FaceTracker();
    const faces = Array.from({ length: 80 }, (_, n) => faceAt(8 + 31 * (n % 10), 4 + 22 * Math.floor(n / 10), 16));
    for (let n = 0; n < 4; n++) {
      tracker.carry(picture(100, 50, 80), 1, 40 * n);
      tracker.correct(faces);
      const ids = tracker.faces().map((face) => face.id);
      expect(ids.sort((a, b) => a - b)).toEqual(faces.map((_, i) => i + 1));
    }
  });
});

describe("frames of two sizes", () => {
  it("are two shots, though they are made smaller to one", () => {
    const tracker = new FaceTracker();
    tracker.carry(picture(100, 50, 60), 0.5, 0);
    tracker.correct([faceAt(200, 100, 120)]);
    expect(tracker.carry(picture(100, 50, 60), 0.25, 40)).toBe(false);
    expect(tracker.faces()).toEqual([]);
  });
});

describe("a face that was found once", () => {
  it("is carried along, as it moves and grows", () => {
    const tracker = new FaceTracker();
    // The frame is twice as large as the picture that is followed.
    tracker.carry(picture(100, 50, 60), 0.5, 0);
    tracker.correct([faceAt(200, 100, 120)]);
    for (let n = 1; n <= 10; n++) {
      const isFollowed = tracker.carry(picture(100 + 2 * n, 50 + n, 60 + n), 0.5, 33 * n);
      expect(isFollowed).toBe(true);
    }
    const [{ id, face, detected }] = tracker.faces() as [ReturnType<FaceTracker["faces"]>[0]];
    expect([id, detected]).toEqual([1, false]);
    expect(face.box.x).toBeCloseTo(240, -1);
    expect(face.box.y).toBeCloseTo(120, -1);
    expect(face.box.width).toBeGreaterThan(132);
    expect(face.box.width).toBeLessThan(148);
    expect(face.landmarks[0]).toBeCloseTo(240 + 0.3 * 140, -1);
  });

  it("keeps its number through detections, and one that comes beside it gets its own", () => {
    const tracker = new FaceTracker();
    tracker.carry(picture(100, 50, 60), 0.5, 0);
    tracker.correct([faceAt(200, 100, 120)]);
    tracker.carry(picture(104, 50, 60), 0.5, 100);
    tracker.correct([faceAt(20, 100, 60), faceAt(206, 102, 122)]);
    expect(tracker.faces().map(({ id, face }) => [id, face.box.x])).toEqual([
      [1, 206],
      [2, 20],
    ]);
  });

  it("calls for the detector when another shot begins", () => {
    const tracker = new FaceTracker();
    tracker.carry(picture(100, 50, 60), 0.5, 0);
    tracker.correct([faceAt(200, 100, 120)]);
    expect(tracker.carry(picture(10, 90, 80), 0.5, 33)).toBe(false);
    expect(tracker.faces()).toEqual([]);
  });
});

describe("a face that leaves across the frame's edge", () => {
  /** The box of a square of 60 pixels, as a detector ends it at the frame's edge; none of a piece. */
  function found(left: number): Detection[] {
    const width = Math.min(left + 60, WIDTH) - left;
    const face = faceAt(left, 60, 60);
    return width > 24 ? [{ ...face, box: { ...face.box, width } }] : [];
  }

  it("keeps its number when it comes in again", () => {
    const tracker = new FaceTracker();
    const ids: number[] = [];
    const places = [...Array(40).keys()].map((n) => 200 + 4 * n);
    for (const [n, left] of [...places, ...places.toReversed()].entries()) {
      const isFollowed = tracker.carry(picture(left, 60, 60), 1, 50 * n);
      if (n % 3 === 0 || !isFollowed) tracker.correct(found(left));
      ids.push(...tracker.faces().map(({ id }) => id));
    }
    expect(ids.length).toBeGreaterThan(25);
    expect(new Set(ids)).toEqual(new Set([1]));
  });

  it("is shown at once if nobody has left, else after a while", () => {
    const tracker = new FaceTracker();
    const shownAt: number[] = [];
    for (let n = 0; n < 30; n++) {
      tracker.carry(picture(290, 60, 60), 1, 50 * n);
      tracker.correct(found(290));
      if (tracker.faces().length > 0) shownAt.push(n);
    }
    expect(shownAt[0]).toBe(0);
    const late = new FaceTracker();
    late.carry(picture(100, 60, 60), 1, 0);
    late.correct(found(100));
    for (let n = 1; n < 30; n++) {
      late.carry(picture(290, 60, 60), 1, 50 * n);
      late.correct(found(290));
      const ids = late.faces().map(({ id }) => id);
      expect(ids, `frame ${n}`).toEqual(n <= 15 ? [] : [2]);
    }
  });
});
