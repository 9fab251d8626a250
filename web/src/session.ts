// The record of a session: every face of every frame, and how to save it.

import { COLUMNS, type FaceRecord, type Result } from "./types";

/** About four hours of one face at 25 frames a second. */
const MOST_ROWS = 400_000;
/** So many of the oldest make room at once: one at a time, all others would move each time. */
const ROWS_DROPPED = 40_000;
const MINUTE_MS = 60_000;
const DIGITS: Partial<Record<(typeof COLUMNS)[number], number>> = {
  timestamp_ms: 3,
  x: 2,
  y: 2,
  width: 2,
  height: 2,
};

export class Session {
  readonly #rows: FaceRecord[] = [];
  // Tracks of a recogniser that was begun anew start at 1 again; people keep different numbers.
  #base = 0;
  #highest = 0;

  get size(): number {
    return this.#rows.length;
  }

  /** Whether the oldest rows are about to make room for new ones, or did already. */
  get isFull(): boolean {
    return this.#rows.length >= MOST_ROWS - ROWS_DROPPED;
  }

  /** Makes the numbers that follow different from those so far. */
  beginTracks(): void {
    this.#base = this.#highest;
  }

  /** Adds a result; gives it back with the session's own numbers. */
  add(result: Result): Result {
    const faces = result.faces.map((face) =>
      face.track_id > 0 ? { ...face, track_id: face.track_id + this.#base } : face,
    );
    for (const face of faces) {
      this.#highest = Math.max(this.#highest, face.track_id);
      if (this.#rows.length === MOST_ROWS) this.#rows.splice(0, ROWS_DROPPED);
      this.#rows.push(face);
    }
    return { ...result, faces };
  }

  /** The last minute of one person, oldest first. */
  lastMinute(trackId: number, nowMs: number): FaceRecord[] {
    const found: FaceRecord[] = [];
    for (let i = this.#rows.length - 1; i >= 0; i--) {
      const row = this.#rows[i]!;
      if (nowMs - row.timestamp_ms > MINUTE_MS) break;
      if (row.track_id === trackId) found.push(row);
    }
    return found.reverse();
  }

  toCsv(): string {
    const lines = this.#rows.map((row) => {
      const numbers = rounded(row);
      return COLUMNS.map((column) => String(numbers[column])).join(",");
    });
    return [COLUMNS.join(","), ...lines, ""].join("\n");
  }

  toJson(): string {
    return JSON.stringify(this.#rows.map(rounded), [...COLUMNS]);
  }
}

/** Rounds to what the numbers are good for, as mien.record.table does, so that files stay small. */
function rounded(row: FaceRecord): FaceRecord {
  const out = { ...row };
  for (const column of COLUMNS) {
    const value = row[column];
    const digits = DIGITS[column] ?? 6;
    if (typeof value === "number") Object.assign(out, { [column]: Number(value.toFixed(digits)) });
  }
  return out;
}

/** Lets the browser save a file. */
export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A file name with the time of day: mien-2026-01-31-14-05-09.csv. */
export function fileName(suffix: string): string {
  const now = new Date();
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  return `mien-${local.toISOString().slice(0, 19).replace(/[T:]/g, "-")}.${suffix}`;
}
