// Boxes and labels over the picture.

import type { FaceRecord, Result } from "../types";
import { type Caption, layOut, type Line, placeLegend, type Rectangle, type Spots } from "./layout";
import { boxColourOf, faultsOf, labelOf, textColour } from "./look";

const FADE_IN_MS = 120;
const FADE_OUT_MS = 220;
const LEGEND_SIZE = 13;

/** Draws a result into a picture of its own, whose legend says what the numbers stand for. */
export function drawFaces(
  context: CanvasRenderingContext2D,
  result: Result,
  scale: number,
  unit: number,
): void {
  const faces = result.faces;
  faces.forEach((face) => drawBox(context, face, scaled(face, scale), unit, false));
  const several = areSeveral(faces);
  const captions = faces.map((face, index) => captionOf(face, index, scaled(face, scale), several));
  const lines = layOut(context.canvas, captions, unit, measureWith(context));
  lines.forEach((line, index) => drawLine(context, line, boxColourOf(faces[index]!)));
  const numbered = faces.filter((_, index) => lines[index]!.isNumber);
  if (numbered.length === 0) return;
  const taken = [...captions.map(({ box }) => box), ...lines.map(({ place }) => place)];
  drawLegend(context, numbered.map((face) => [numberOf(face, faces.indexOf(face)), face]), taken, unit);
}

function drawLegend(
  context: CanvasRenderingContext2D,
  entries: readonly (readonly [string, FaceRecord])[],
  taken: readonly Rectangle[],
  unit: number,
): void {
  const size = LEGEND_SIZE * unit;
  const measure = measureWith(context);
  const widest = (texts: readonly string[]) => Math.max(...texts.map((text) => measure(text, size).width));
  const numberWidth = widest(entries.map(([number]) => number));
  const width = numberWidth + widest(entries.map(([, face]) => labelOf(face))) + size / 2;
  const height = measure("0", size).height + 2 * unit;
  const { place, columns } = placeLegend(context.canvas, taken, entries.length, { width, height });
  context.fillStyle = "rgb(0 0 0 / 78%)";
  context.fillRect(place.x, place.y, place.width, place.height);
  const rows = Math.ceil(entries.length / columns);
  entries.forEach(([number, face], index) => {
    const x = place.x + Math.floor(index / rows) * width + size / 4;
    const y = place.y + (index % rows) * height + unit;
    const tile = { x, y, width: numberWidth, height: height - 2 * unit };
    drawLine(context, { text: number, size, place: tile, isNumber: true }, boxColourOf(face));
    context.fillStyle = "#fff";
    context.textAlign = "left";
    context.fillText(labelOf(face), x + numberWidth + size / 2, y + tile.height / 2 + size / 15);
  });
}

function scaled(face: Rectangle, scale: number): Rectangle {
  return {
    x: face.x * scale,
    y: face.y * scale,
    width: face.width * scale,
    height: face.height * scale,
  };
}

/** In a group of people, the number says who in the list it is. */
function numberOf(face: FaceRecord, index: number): string {
  return String(face.track_id || index + 1);
}

/** Whether labels are to say who is who. */
function areSeveral(faces: readonly FaceRecord[]): boolean {
  return faces.some((face) => face.track_id > 1);
}

/** The texts begin with the person's number if the face is one of several that are followed. */
function captionOf(face: FaceRecord, index: number, box: Rectangle, several: boolean): Caption {
  const [fault] = faultsOf(face);
  const label = labelOf(face);
  const labels = fault ? [`${label} ${fault}`, label] : [label];
  const numbered = labels.map((text) => `#${face.track_id} ${text}`);
  return {
    key: face.track_id || -1 - index,
    box,
    texts: several && face.track_id > 0 ? [...numbered, label] : labels,
    number: numberOf(face, index),
  };
}

function measureWith(context: CanvasRenderingContext2D) {
  return (text: string, size: number) => {
    context.font = fontOf(size);
    const height = size * 1.6;
    return { width: Math.max(context.measureText(text).width + size, height), height };
  };
}

function fontOf(size: number): string {
  return `600 ${size}px system-ui, sans-serif`;
}

function drawBox(
  context: CanvasRenderingContext2D,
  face: FaceRecord,
  { x, y, width, height }: Rectangle,
  unit: number,
  isFocus: boolean,
): void {
  const radius = Math.min(10 * unit, width / 6);
  context.beginPath();
  context.roundRect(x, y, width, height, radius);
  // A dark rim keeps the box visible on a picture of its own colour.
  context.strokeStyle = "rgb(0 0 0 / 55%)";
  // Thin around a small face, which it would cover.
  const line = Math.min((isFocus ? 4 : 2.5) * unit, Math.max(width / 16, unit));
  context.lineWidth = line + 2 * Math.min(unit, line);
  context.stroke();
  context.strokeStyle = boxColourOf(face);
  context.lineWidth = line;
  context.stroke();
}

function drawLine(
  context: CanvasRenderingContext2D,
  { text, size, place, isNumber }: Line,
  colour: string,
): void {
  const { x, y, width, height } = place;
  context.font = fontOf(size);
  context.textBaseline = "middle";
  context.textAlign = isNumber ? "center" : "left";
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(x, y, width, height, height / 3);
  context.fill();
  context.fillStyle = textColour(colour);
  context.fillText(text, isNumber ? x + width / 2 : x + size / 2, y + height / 2 + size / 15);
}

/** Where the picture lies in a screen that shows all of it: scale and margins. */
interface Fit {
  readonly scale: number;
  readonly left: number;
  readonly top: number;
}

function fit(
  screen: { width: number; height: number },
  picture: { width: number; height: number },
): Fit {
  const scale = Math.min(screen.width / picture.width, screen.height / picture.height);
  return {
    scale,
    left: (screen.width - picture.width * scale) / 2,
    top: (screen.height - picture.height * scale) / 2,
  };
}

interface Shown {
  readonly face: FaceRecord;
  readonly index: number;
  readonly opacity: number;
}

/** The overlay over what the screen shows. */
export class Overlay {
  /** Whether the picture below is shown as in a mirror; words never are. */
  mirrored = false;
  #shown = new Map<number, Shown>();
  readonly #spots: Spots = new Map();
  #drawnMs = 0;
  #isEmpty = true;

  constructor(private readonly canvas: HTMLCanvasElement) {}

  /** Whether faces are still being faded in or out. */
  get isFading(): boolean {
    return [...this.#shown.values()].some(({ opacity }) => opacity < 1);
  }

  /** Draws a result; faces that come and go are faded in and out. */
  show(result: Result | null, focus: FaceRecord | undefined, nowMs: number): void {
    this.#fade(result?.faces ?? [], nowMs - this.#drawnMs);
    this.#drawnMs = nowMs;
    const isEmpty = !result || result.width === 0 || this.#shown.size === 0;
    if (isEmpty && this.#isEmpty) return;
    this.#isEmpty = isEmpty;
    const context = this.#cleared();
    if (isEmpty) return;
    const { scale, left, top } = fit(this.canvas, result);
    context.translate(left, top);
    const places = [...this.#shown.values()].map(({ face, index, opacity }) => {
      const place = scaled(face, scale);
      const x = this.mirrored ? result.width * scale - place.x - place.width : place.x;
      return { face, index, opacity, place: { ...place, x } };
    });
    const unit = window.devicePixelRatio;
    // Labels lie over all boxes.
    for (const { face, opacity, place } of places) {
      context.globalAlpha = opacity;
      drawBox(context, face, place, unit, face.track_id === focus?.track_id && places.length > 1);
    }
    const several = areSeveral(result.faces);
    const captions = places.map(({ face, index, place }) => captionOf(face, index, place, several));
    const area = { width: result.width * scale, height: result.height * scale };
    layOut(area, captions, unit, measureWith(context), this.#spots).forEach((line, n) => {
      const { face, opacity } = places[n]!;
      context.globalAlpha = opacity;
      drawLine(context, line, boxColourOf(face));
    });
    context.globalAlpha = 1;
  }

  /** Takes everything away at once. */
  clear(): void {
    this.#shown.clear();
    this.#spots.clear();
    this.#isEmpty = true;
    this.#cleared();
  }

  /** The face at a point of the page, if there is one. */
  faceAt(result: Result, clientX: number, clientY: number): FaceRecord | undefined {
    const area = this.canvas.getBoundingClientRect();
    const { scale, left, top } = fit(area, result);
    const fromLeft = (clientX - area.left - left) / scale;
    const x = this.mirrored ? result.width - fromLeft : fromLeft;
    const y = (clientY - area.top - top) / scale;
    return result.faces.find(
      (face) =>
        x >= face.x && x <= face.x + face.width && y >= face.y && y <= face.y + face.height,
    );
  }

  #fade(faces: readonly FaceRecord[], elapsedMs: number): void {
    const next = new Map<number, Shown>();
    faces.forEach((face, index) => {
      const key = face.track_id || -1 - index;
      // Photos are there at once.
      const before = face.track_id === 0 ? 1 : (this.#shown.get(key)?.opacity ?? 0);
      next.set(key, { face, index, opacity: Math.min(before + elapsedMs / FADE_IN_MS, 1) });
    });
    for (const [key, { face, index, opacity }] of this.#shown) {
      const left = opacity - elapsedMs / FADE_OUT_MS;
      if (!next.has(key) && face.track_id > 0 && left > 0) next.set(key, { face, index, opacity: left });
    }
    this.#shown = next;
  }

  #cleared(): CanvasRenderingContext2D {
    const { canvas } = this;
    const context = canvas.getContext("2d")!;
    const width = Math.round(canvas.clientWidth * window.devicePixelRatio);
    const height = Math.round(canvas.clientHeight * window.devicePixelRatio);
    context.resetTransform();
    if (canvas.width === width && canvas.height === height) context.clearRect(0, 0, width, height);
    else Object.assign(canvas, { width, height });
    return context;
  }
}
