// What the page says of its state, in plain words.

import type { NamedFile, State } from "../machine";
import type { FaceLog, Gap, GapReason } from "../record/record";
import type { Mode } from "../types";

/** What the readings of mien's own networks say, in words for everyone. */
export function wordsOf(reading: string): string {
  if (reading === "raters") return "as people would say it";
  if (reading === "labels") return "as FER2013 labels it";
  return reading;
}

/** Why labels are smoothed though a temporal network is chosen; empty where they are not. */
export function steadyingNote(isOverTime: boolean, temporal: string, reading: string): string {
  if (!isOverTime || temporal === reading) return "";
  return `Labels are smoothed: the temporal network reads faces “${wordsOf(temporal)}” only.`;
}

/** Where the pictures go. */
export function badgeOf(mode: Mode, canRunHere: boolean): string {
  if (mode === "device") return "No picture is uploaded.";
  if (canRunHere) return "Pictures are sent to this server, which keeps none.";
  return "This server has no face detector for browsers: pictures are sent to it. It keeps none.";
}

/** What is being loaded, over the picture; empty if nothing is. */
export function loadingOf({ engine, stage, mode }: State): string {
  if (stage.kind === "welcome") return "";
  if (engine.kind === "lost") return "The connection to the server is gone. Trying again …";
  if (engine.kind !== "opening") return "";
  if (mode === "server") return "Connecting to the server …";
  if (engine.loaded === 0) return "Loading the networks …";
  if (engine.loaded >= engine.total) return "Opening the networks …";
  return `Loading the networks: ${megabytes(engine.loaded)} of ${megabytes(engine.total)} MB`;
}

/** One line on what is going on. */
export function statusOf(state: State<NamedFile>, speed: string, gaps: readonly Gap[]): string {
  const { stage, mode } = state;
  const place = mode === "device" ? "on this device" : "on the server";
  switch (stage.kind) {
    case "welcome":
      return "";
    case "camera":
      if (stage.phase === "paused") return "Paused.";
      if (stage.phase === "asleep") return "Waiting until somebody looks.";
      if (stage.isSilent) return "The camera gives no picture. Does another app use it?";
      if (stage.phase === "opening") return "Opening the camera …";
      return speed ? `${speed} ${place}.${gapNote(gaps)}` : "";
    case "video":
      if (stage.phase === "failed") return "";
      if (stage.phase === "read") return videoNote(stage.done, stage.total, stage.warning);
      return `Reading the video ${place} …`;
    case "photos": {
      const done = stage.photos.filter(({ phase }) => phase === "done").length;
      const failed = stage.photos.filter(({ phase }) => phase === "failed").length;
      const unreadable = failed > 0 ? `, ${failed} not readable` : "";
      const all = stage.photos.length;
      if (done + failed < all) {
        const photos = all > 1 ? ` photo ${done + failed + 1} of ${all}` : "";
        const parts = stage.total > 1 ? ", small faces too" : "";
        return `Recognising${photos} ${place}${parts} …`;
      }
      return `Recognised ${place}: ${all === 1 ? "1 photo" : `${done} of ${all} photos`}${unreadable}.`;
    }
  }
}

/** How far it is; apart from the status, as screen readers would say every number of it. */
export function countOf({ stage }: State<NamedFile>): string {
  if (stage.kind === "photos" && stage.total > 1) return `${stage.done} of ${stage.total} parts`;
  if (stage.kind !== "video" || stage.phase !== "reading" || stage.done === 0) return "";
  return stage.total ? `${number(stage.done)} of ${number(stage.total)} frames` : `${number(stage.done)} frames`;
}

function videoNote(done: number, total: number | null, warning: string | null): string {
  const isWhole = total === null || done >= total;
  const note = isWhole
    ? `All ${number(done)} frames recognised.`
    : `${number(done)} of ${number(total)} frames were read.`;
  return warning ? `${note} ${warning}` : note;
}

const WHY_NOTHING: Readonly<Record<Exclude<GapReason, "paused">, string>> = {
  hidden: "this tab was hidden",
  connection: "the server was gone",
  recognition: "recognition did not work",
  camera: "the camera gave no picture",
};

function gapNote(gaps: readonly Gap[]): string {
  const last = gaps.at(-1);
  if (!last || last.endMs === null || last.reason === "paused") return "";
  const seconds = Math.max(Math.round((last.endMs - last.startMs) / 1000), 1);
  return ` Nothing was recorded for ${seconds} s while ${WHY_NOTHING[last.reason]}.`;
}

/** What the record holds. */
export function recordNoteOf(record: FaceLog): string {
  const { size, sources } = record;
  const from = sources.filter(({ rows }) => rows.length > 0).length;
  const gaps = sources.reduce((sum, { gaps: some }) => sum + some.length, 0);
  const parts = [size === 1 ? "1 row" : `${number(size)} rows`];
  if (from > 1) parts.push(`from ${from} sources`);
  if (gaps > 0) parts.push(gaps === 1 ? "with 1 gap" : `with ${gaps} gaps`);
  const full = record.isFull ? " The record is full: save it, as its oldest rows make room." : "";
  return `${parts.join(" ")}, one for each face and frame.${full}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function number(value: number): string {
  return value.toLocaleString("en");
}
