// The record: every face of every frame of everything that was shown, until it is cleared.

import type { FaceRecord } from "../types";

/** About four hours of one face at 25 frames a second. */
const MOST_ROWS = 400_000;
/** This part of the oldest makes room at once: one by one, all others would move each time. */
const PART_DROPPED = 0.1;

export type GapReason = "hidden" | "connection" | "recognition" | "camera" | "paused";

/** A time in which nothing was recorded. */
export interface Gap {
  readonly reason: GapReason;
  readonly startMs: number;
  readonly endMs: number | null;
}

/** A camera, a video or a photo. */
export interface Source {
  name: string;
  readonly isSample: boolean;
  readonly gaps: Gap[];
  rows: FaceRecord[];
  /** How many of the rows would be lost with the page. */
  unsaved: number;
  /** How many frames were looked at, with and without faces. */
  frames: number;
}

/** What was recorded since the page was opened or the record cleared. */
export class FaceLog {
  #sources: Source[] = [];
  #wasCut = false;

  constructor(private readonly mostRows = MOST_ROWS) {}

  get sources(): readonly Source[] {
    return this.#sources;
  }

  get size(): number {
    return this.#sources.reduce((sum, source) => sum + source.rows.length, 0);
  }

  /** How many rows would be lost with the page. */
  get unsaved(): number {
    return this.#sources.reduce((sum, source) => sum + source.unsaved, 0);
  }

  /** Whether the oldest rows are about to make room for new ones, or did already. */
  get isFull(): boolean {
    return this.#wasCut || this.size >= (1 - PART_DROPPED) * this.mostRows;
  }

  /** Begins with another source; what is only a sample need not be saved. */
  begin(name: string, isSample = false): Source {
    const names = new Set(this.#sources.map((source) => source.name));
    let unique = name;
    for (let n = 2; names.has(unique); n++) unique = `${name} (${n})`;
    const source: Source = { name: unique, isSample, gaps: [], rows: [], unsaved: 0, frames: 0 };
    this.#sources.push(source);
    return source;
  }

  /** Empties a source that is to be recognised once more. */
  empty(source: Source): void {
    source.rows = [];
    source.unsaved = 0;
    source.frames = 0;
  }

  /** Takes a source out. */
  remove(source: Source): void {
    this.#sources = this.#sources.filter((other) => other !== source);
  }

  /** Gives a source that was recognised once more the place and the name of what it was before. */
  replace(before: Source, source: Source): void {
    source.name = before.name;
    if (!this.#sources.includes(before)) return;
    this.remove(source);
    this.#sources = this.#sources.map((other) => (other === before ? source : other));
  }

  /** Adds the faces of a frame. */
  add(source: Source, faces: readonly FaceRecord[]): void {
    source.frames++;
    // Not all as arguments of one call: a long video's table is more than a stack holds.
    for (const face of faces) source.rows.push(face);
    if (!source.isSample) source.unsaved += faces.length;
    if (this.size > this.mostRows) this.#makeRoom();
  }

  markSaved(): void {
    for (const source of this.#sources) source.unsaved = 0;
  }

  clear(): void {
    this.#sources = [];
    this.#wasCut = false;
  }

  /** Drops the oldest rows of all: those of the oldest source first. */
  #makeRoom(): void {
    let surplus = Math.max(this.size - this.mostRows, Math.ceil(PART_DROPPED * this.mostRows));
    for (const source of this.#sources) {
      surplus -= source.rows.splice(0, surplus).length;
      source.unsaved = Math.min(source.unsaved, source.rows.length);
    }
    this.#wasCut = true;
  }
}

/** Notes that nothing is recorded from now on, or from now on for another reason. */
export function beginGap(source: Source, reason: GapReason, nowMs: number): void {
  const last = source.gaps.at(-1);
  if (last?.endMs === null && last.reason === reason) return;
  endGap(source, nowMs);
  source.gaps.push({ reason, startMs: nowMs, endMs: null });
}

export function endGap(source: Source, nowMs: number): void {
  const last = source.gaps.at(-1);
  if (last?.endMs === null) source.gaps[source.gaps.length - 1] = { ...last, endMs: nowMs };
}

/** The rows of one person within a time, oldest first; rows come in the order of time. */
export function rowsBetween(
  rows: readonly FaceRecord[],
  trackId: number,
  fromMs: number,
  toMs: number,
): FaceRecord[] {
  const found: FaceRecord[] = [];
  for (let i = firstAt(rows, fromMs); i < rows.length && rows[i]!.timestamp_ms <= toMs; i++) {
    if (rows[i]!.track_id === trackId) found.push(rows[i]!);
  }
  return found;
}

/** The faces of the frame that is shown at a time, if there were any within `withinMs` of it. */
export function facesAt(
  rows: readonly FaceRecord[],
  timestampMs: number,
  withinMs: number,
): FaceRecord[] {
  let last = firstAt(rows, timestampMs + 1e-3) - 1;
  const found: FaceRecord[] = [];
  const shownMs = rows[last]?.timestamp_ms ?? -Infinity;
  if (timestampMs - shownMs > withinMs) return [];
  for (; last >= 0 && rows[last]!.timestamp_ms === shownMs; last--) found.unshift(rows[last]!);
  return found;
}

/** Index of the first row that is not before a time. */
function firstAt(rows: readonly FaceRecord[], timestampMs: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle]!.timestamp_ms < timestampMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
