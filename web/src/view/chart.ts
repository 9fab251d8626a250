// The last minute of one person: the share of each emotion, stacked.

import { EMOTIONS, type FaceRecord } from "../types";
import { COLOURS, labelOf, personName } from "./look";

const SPAN_MS = 60_000;
const GAP_MS = 1500;

/** Draws the history of the person in focus. */
export class Chart {
  constructor(private readonly canvas: HTMLCanvasElement) {}

  show(history: readonly FaceRecord[], nowMs: number): void {
    const { canvas } = this;
    const context = canvas.getContext("2d")!;
    const ratio = window.devicePixelRatio;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    context.scale(ratio, ratio);
    const area = { width: canvas.clientWidth, height: canvas.clientHeight - 18 };
    const style = getComputedStyle(canvas);
    drawGrid(context, area, style.getPropertyValue("--line"), style.getPropertyValue("--soft"));
    const shown = history.filter((face) => nowMs - face.timestamp_ms <= SPAN_MS);
    drawStack(context, area, shown, nowMs);
    canvas.setAttribute("aria-label", describe(shown));
  }
}

interface Area {
  readonly width: number;
  readonly height: number;
}

function drawGrid(
  context: CanvasRenderingContext2D,
  area: Area,
  line: string,
  text: string,
): void {
  context.strokeStyle = line;
  context.fillStyle = text;
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "bottom";
  for (let seconds = 0; seconds <= 60; seconds += 15) {
    const x = area.width * (1 - seconds / 60);
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, area.height);
    context.stroke();
    context.textAlign = seconds === 0 ? "right" : seconds === 60 ? "left" : "center";
    context.fillText(seconds === 0 ? "now" : `−${seconds} s`, x, area.height + 18);
  }
}

function drawStack(
  context: CanvasRenderingContext2D,
  area: Area,
  history: readonly FaceRecord[],
  nowMs: number,
): void {
  const at = (face: FaceRecord) => area.width * (1 - (nowMs - face.timestamp_ms) / SPAN_MS);
  for (let i = 1; i < history.length; i++) {
    const before = history[i - 1]!;
    const face = history[i]!;
    if (face.timestamp_ms - before.timestamp_ms > GAP_MS) continue;
    const [left, right] = [at(before), at(face)];
    context.globalAlpha = face.uncertain ? 0.35 : 1;
    let [lower, lowerRight] = [area.height, area.height];
    for (const emotion of EMOTIONS) {
      const upper = lower - before[emotion] * area.height;
      const upperRight = lowerRight - face[emotion] * area.height;
      context.fillStyle = COLOURS[emotion];
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

function describe(history: readonly FaceRecord[]): string {
  const last = history.at(-1);
  if (!last) return "No face in the last minute";
  const seconds = Math.round((last.timestamp_ms - history[0]!.timestamp_ms) / 1000);
  const counts = EMOTIONS.map((emotion) => {
    const share = history.reduce((sum, face) => sum + face[emotion], 0) / history.length;
    return { emotion, share };
  });
  counts.sort((a, b) => b.share - a.share);
  const mean = counts
    .slice(0, 3)
    .map(({ emotion, share }) => `${emotion} ${Math.round(share * 100)}%`);
  return `${personName(last, 0)}, ${seconds} seconds: on average ${mean.join(", ")}; now ${labelOf(last)}`;
}
