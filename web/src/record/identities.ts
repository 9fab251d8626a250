// People keep their numbers when recognition starts again: after a pause, in another place.

import type { FaceRecord } from "../types";

// So soon after a new start, a face that stands where one stood before is the same person.
const CONTINUED_MS = 2000;
const NEAR = 1.5;
// Whoever was last seen longer ago than this is not expected back.
const REMEMBERED_MS = 30_000;

/** Turns the numbers of a recogniser, which start at 1 each time, into those of the record. */
export class Identities {
  #highest = 0;
  #numbers = new Map<number, number>();
  // Where people were last, by their number, before the new start.
  #before = new Map<number, FaceRecord>();
  #now = new Map<number, FaceRecord>();
  #startedMs: number | null = null;

  /** The recogniser starts again; `samePeople` where the picture goes on. */
  restart(samePeople: boolean): void {
    // Who was not seen since the last new start may still come back.
    this.#before = new Map(samePeople ? [...this.#before, ...this.#now] : []);
    this.#now.clear();
    this.#numbers.clear();
    this.#startedMs = null;
  }

  /** Gives the faces of a frame the record's numbers; those of photos have none. */
  renumber(faces: readonly FaceRecord[]): FaceRecord[] {
    const nowMs = faces[0]?.timestamp_ms ?? 0;
    if (faces.length > 0) this.#startedMs ??= nowMs;
    const isFresh = this.#startedMs !== null && nowMs - this.#startedMs <= CONTINUED_MS;
    return faces.map((face) => {
      if (face.track_id === 0) return face;
      let number = this.#numbers.get(face.track_id);
      if (number === undefined) {
        number = (isFresh ? this.#continued(face, faces.length) : undefined) ?? ++this.#highest;
        this.#numbers.set(face.track_id, number);
      }
      const renumbered = { ...face, track_id: number };
      this.#now.set(number, renumbered);
      return renumbered;
    });
  }

  /** The number of whoever stood there before. */
  #continued(face: FaceRecord, count: number): number | undefined {
    const taken = new Set(this.#numbers.values());
    const left = [...this.#before.values()].filter(
      (old) => !taken.has(old.track_id) && face.timestamp_ms - old.timestamp_ms <= REMEMBERED_MS,
    );
    if (left.length === 1 && count === 1) return left[0]!.track_id;
    const nearest = left
      .map((old) => ({ old, distance: distanceInFaces(old, face) }))
      .filter(({ distance }) => distance < NEAR)
      .sort((a, b) => a.distance - b.distance)[0];
    return nearest?.old.track_id;
  }
}

function distanceInFaces(a: FaceRecord, b: FaceRecord): number {
  const x = a.x + a.width / 2 - b.x - b.width / 2;
  const y = a.y + a.height / 2 - b.y - b.height / 2;
  return Math.hypot(x, y) / Math.max(a.width, a.height, b.width, b.height);
}
