// The record as a table: the columns of every record of mien, then the source of each row.

import type { FaceRecord } from "../types";
import type { Source } from "./record";

const BEFORE = [
  "frame",
  "timestamp_ms",
  "track_id",
  "x",
  "y",
  "width",
  "height",
  "detection_score",
  "emotion",
  "confidence",
] as const;
const ANGLES = ["yaw_degrees", "pitch_degrees", "roll_degrees"] as const;
const AFTER = ["uncertain", "detected", "smooth_ms", "reading", "missed_limits", ...ANGLES] as const;
const TAKEN: ReadonlySet<string> = new Set([
  ...BEFORE,
  ...AFTER,
  "temporal_sha256",
  "path",
  "error",
  // Columns of a batch's tables.
  "source",
  "source_sha256",
  "kind",
  "state",
  "size_bytes",
  "frames",
  "faces",
  "duration_ms",
  "seconds",
  "frames_with_faces",
  "people",
  "seen_ms",
  "uncertain_share",
  "mien_version",
  "artifact_sha256",
]);
// So many digits are what the numbers are good for, as in mien.record.table.
const DIGITS: Readonly<Record<string, number>> = {
  timestamp_ms: 3,
  x: 2,
  y: 2,
  width: 2,
  height: 2,
  yaw_degrees: 1,
  pitch_degrees: 1,
  roll_degrees: 1,
};

const DIGITS_OF_SHARES = 6;

/** The column of a label: its name, or `label_…` where that is another column's; as in Python. */
export function columnOf(label: string): string {
  return TAKEN.has(label) || /^(raw|whole|label)_/.test(label) ? `label_${label}` : label;
}

/** The column of what a person showed of a label so far, by a temporal network. */
export function wholeColumnOf(label: string): string {
  return `whole_${columnOf(label)}`;
}

export function toCsv(sources: readonly Source[], labels: readonly string[]): string {
  const columns = [...columnsOf(sources, labels), "source"];
  const isOverTime = hasWhole(sources);
  const lines = [columns.map(quoted).join(",")];
  for (const { rows, name } of sources) {
    const source = quoted(name);
    for (const row of rows) lines.push(`${values(row, labels, isOverTime).map(quoted).join(",")},${source}`);
  }
  return [...lines, ""].join("\n");
}

export function toJson(sources: readonly Source[], labels: readonly string[]): string {
  const columns = columnsOf(sources, labels);
  const isOverTime = hasWhole(sources);
  const rows = sources.flatMap(({ rows, name }) =>
    rows.map((row) => {
      const cells = values(row, labels, isOverTime).map((value, i) => [columns[i], value]);
      return { ...Object.fromEntries(cells), source: name };
    }),
  );
  return JSON.stringify(rows);
}

type Cell = number | string | boolean | null;

/** Whether a temporal network made some of the rows: then there are columns for what it says. */
function hasWhole(sources: readonly Source[]): boolean {
  return sources.some(({ rows }) => rows.some(({ whole }) => whole !== null));
}

function columnsOf(sources: readonly Source[], labels: readonly string[]): string[] {
  const whole = labels.map(wholeColumnOf);
  const added = hasWhole(sources) ? [...whole, "temporal_sha256"] : [];
  return [...BEFORE, ...labels.map(columnOf), ...AFTER, ...added];
}

function values(row: FaceRecord, labels: readonly string[], isOverTime: boolean): Cell[] {
  const whole = labels.map((label) => (row.whole ? share(row.whole[label]) : null));
  return [
    ...BEFORE.map((column) => rounded(column, row[column])),
    ...labels.map((label) => share(row.shares[label])),
    ...AFTER.map((column) => rounded(column, row[column])),
    ...(isOverTime ? [...whole, row.temporal_sha256] : []),
  ];
}

function rounded(column: string, value: Cell): Cell {
  return typeof value === "number" ? Number(value.toFixed(DIGITS[column] ?? DIGITS_OF_SHARES)) : value;
}

/** A label may be called as a column is that has other digits. */
function share(value: number | undefined): number {
  return Number((value ?? 0).toFixed(DIGITS_OF_SHARES));
}

/** A value as CSV has it, as in Python in one line; no table program takes it for a formula. */
function quoted(value: Cell): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  const harmless = /^'*[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  if (!/[",\n\r]/.test(harmless)) return harmless;
  // Whoever reads mien's tables takes each line for a row.
  return `"${harmless.replaceAll(/[\n\r]/g, " ").replaceAll('"', '""')}"`;
}
