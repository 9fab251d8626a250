// Where faces are while their results are still being worked out.

import type { FaceRecord, Result } from "../types";

// Further ahead, a straight line says little of where a face will be.
const LONGEST_MS = 250;

interface Seen {
  readonly face: FaceRecord;
  /** Of the box's left and upper edge, in pixels per millisecond. */
  readonly velocityX: number;
  readonly velocityY: number;
}

/** Moves boxes along with their people between two results. */
export class Motion {
  #seen = new Map<number, Seen>();

  /** Takes in a live result. */
  add(result: Result): void {
    const seen = new Map<number, Seen>();
    for (const face of result.faces) {
      const before = this.#seen.get(face.track_id)?.face;
      const elapsed = before ? face.timestamp_ms - before.timestamp_ms : 0;
      const moved = before !== undefined && elapsed > 0 && elapsed <= 2 * LONGEST_MS;
      seen.set(face.track_id, {
        face,
        velocityX: moved ? (face.x - before.x) / elapsed : 0,
        velocityY: moved ? (face.y - before.y) / elapsed : 0,
      });
    }
    this.#seen = seen;
  }

  /** Returns the result as it should look now; photos, which have no tracks, stay as they are. */
  at(result: Result, nowMs: number): Result {
    const faces = result.faces.map((face) => {
      const seen = this.#seen.get(face.track_id);
      if (seen?.face !== face) return face;
      const ahead = Math.min(Math.max(nowMs - face.timestamp_ms, 0), LONGEST_MS);
      return {
        ...face,
        x: face.x + seen.velocityX * ahead,
        y: face.y + seen.velocityY * ahead,
      };
    });
    return { ...result, faces };
  }
}
