// One person over time: the probability of each label, stacked.

import type { FaceRecord } from "../types";
import { colourOf, glyph, labelOf, nameOf, percent, personName } from "./look";

const GAP_MS = 1500;
const AXIS_PX = 18;

/** A time from which to which the chart reaches. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What the chart shows. */
export interface Course {
  readonly rows: readonly FaceRecord[];
  readonly span: Span;
  readonly labels: readonly string[];
  /** Where the player is, in a video. */
  readonly cursorMs: number | null;
}

/** The span of a live picture: it grows from the left until a minute is full. */
export function liveSpan(startedMs: number, nowMs: number, minuteMs = 60_000): Span {
  const fromMs = Math.max(startedMs, nowMs - minuteMs);
  return { fromMs, toMs: fromMs + minuteMs };
}

/** The row that is nearest to a time; null in a gap. */
export function rowAt(rows: readonly FaceRecord[], timeMs: number): FaceRecord | null {
  let nearest: FaceRecord | null = null;
  for (const row of rows) {
    const distance = Math.abs(row.timestamp_ms - timeMs);
    if (!nearest || distance < Math.abs(nearest.timestamp_ms - timeMs)) nearest = row;
  }
  return nearest && Math.abs(nearest.timestamp_ms - timeMs) <= GAP_MS ? nearest : null;
}

/** Draws the course of the person in focus, and says what lies under the pointer. */
export class Chart {
  #course: Course | null = null;
  #legend = "";

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly legend: HTMLElement,
    private readonly hint: HTMLElement,
    seek: (timeMs: number) => void,
  ) {
    canvas.onpointermove = (event) => this.#point(event);
    canvas.onpointerleave = () => (hint.hidden = true);
    canvas.onclick = (event) => seek(this.#timeAt(event));
  }

  show(course: Course): void {
    this.#course = course;
    this.#showLegend(course.labels);
    const { canvas } = this;
    const context = canvas.getContext("2d")!;
    const ratio = window.devicePixelRatio;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    context.scale(ratio, ratio);
    const area = { width: canvas.clientWidth, height: canvas.clientHeight - AXIS_PX };
    const style = getComputedStyle(canvas);
    drawStack(context, area, course);
    drawAxis(context, area, course, style.getPropertyValue("--line"), style.getPropertyValue("--soft"));
    drawCursor(context, area, course, style.getPropertyValue("--text"));
    canvas.setAttribute("aria-label", describe(course));
  }

  #showLegend(labels: readonly string[]): void {
    if (this.#legend === labels.join()) return;
    this.#legend = labels.join();
    const items = labels.map((label) => {
      const item = document.createElement("li");
      item.append(glyph(label), nameOf(label));
      return item;
    });
    this.legend.replaceChildren(...items);
  }

  #timeAt(event: MouseEvent): number {
    const area = this.canvas.getBoundingClientRect();
    const { fromMs, toMs } = this.#course?.span ?? { fromMs: 0, toMs: 0 };
    return fromMs + ((event.clientX - area.left) / area.width) * (toMs - fromMs);
  }

  #point(event: PointerEvent): void {
    const row = this.#course && rowAt(this.#course.rows, this.#timeAt(event));
    this.hint.hidden = !row;
    if (!row) return;
    const shares = Object.entries(row.shares)
      .sort(([, a], [, b]) => b - a)
      .slice(0, 3)
      .map(([label, share]) => `${nameOf(label)} ${percent(share)}`);
    this.hint.textContent = `${clock(row.timestamp_ms)}  ${shares.join(", ")}`;
    const area = this.canvas.getBoundingClientRect();
    const share = (event.clientX - area.left) / area.width;
    this.hint.style.setProperty("--at", String(Math.min(Math.max(share, 0), 1)));
  }
}

interface Area {
  readonly width: number;
  readonly height: number;
}

function drawStack(context: CanvasRenderingContext2D, area: Area, course: Course): void {
  const { rows, span, labels } = course;
  const at = (row: FaceRecord) =>
    (area.width * (row.timestamp_ms - span.fromMs)) / (span.toMs - span.fromMs);
  for (let i = 1; i < rows.length; i++) {
    const [before, row] = [rows[i - 1]!, rows[i]!];
    if (row.timestamp_ms - before.timestamp_ms > GAP_MS) continue;
    const [left, right] = [at(before), at(row)];
    context.globalAlpha = row.uncertain ? 0.35 : 1;
    let [lower, lowerRight] = [area.height, area.height];
    for (const label of labels) {
      const upper = lower - before.shares[label]! * area.height;
      const upperRight = lowerRight - row.shares[label]! * area.height;
      context.fillStyle = colourOf(label);
      context.beginPath();
      context.moveTo(left, lower);
      context.lineTo(left, upper);
      context.lineTo(right + 0.5, upperRight);
      context.lineTo(right + 0.5, lowerRight);
      context.fill();
      [lower, lowerRight] = [upper, upperRight];
    }
  }
  context.globalAlpha = 1;
}

function drawAxis(
  context: CanvasRenderingContext2D,
  area: Area,
  { span }: Course,
  line: string,
  text: string,
): void {
  context.strokeStyle = line;
  context.fillStyle = text;
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "bottom";
  context.beginPath();
  context.moveTo(0, area.height + 0.5);
  context.lineTo(area.width, area.height + 0.5);
  context.stroke();
  for (let mark = 0; mark <= 4; mark++) {
    const x = (area.width * mark) / 4;
    context.textAlign = mark === 0 ? "left" : mark === 4 ? "right" : "center";
    context.fillText(clock(span.fromMs + ((span.toMs - span.fromMs) * mark) / 4), x, area.height + AXIS_PX);
  }
}

function drawCursor(
  context: CanvasRenderingContext2D,
  area: Area,
  { span, cursorMs }: Course,
  colour: string,
): void {
  if (cursorMs === null) return;
  const x = (area.width * (cursorMs - span.fromMs)) / (span.toMs - span.fromMs);
  context.fillStyle = colour;
  context.fillRect(Math.min(x, area.width - 2), 0, 2, area.height);
}

/** A time as a player writes it: 1:05. */
export function clock(timeMs: number): string {
  const seconds = Math.max(Math.floor(timeMs / 1000 + 1e-6), 0);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function describe({ rows, labels }: Course): string {
  const last = rows.at(-1);
  if (!last) return "No face in this time";
  const seconds = Math.round((last.timestamp_ms - rows[0]!.timestamp_ms) / 1000);
  const means = labels.map((label) => {
    const sum = rows.reduce((total, row) => total + row.shares[label]!, 0);
    return { label, share: sum / rows.length };
  });
  means.sort((a, b) => b.share - a.share);
  const mean = means.slice(0, 3).map(({ label, share }) => `${label} ${percent(share)}`);
  return `${personName(last, 0)}, ${seconds} seconds: on average ${mean.join(", ")}; last ${labelOf(last)}`;
}
