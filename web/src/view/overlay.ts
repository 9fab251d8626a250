// Boxes and labels over the picture.

import type { FaceRecord, Result } from "../types";
import { colourOf, labelOf, textColour } from "./look";

/** Draws a result into a context whose units are the result's pixels times `scale`. */
export function drawFaces(
  context: CanvasRenderingContext2D,
  result: Result,
  scale: number,
  unit: number,
  focus: FaceRecord | undefined,
): void {
  context.font = `600 ${15 * unit}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  for (const face of result.faces) {
    drawFace(context, face, scale, unit, face === focus && result.faces.length > 1);
  }
}

function drawFace(
  context: CanvasRenderingContext2D,
  face: FaceRecord,
  scale: number,
  unit: number,
  isFocus: boolean,
): void {
  const colour = colourOf(face);
  const [x, y] = [face.x * scale, face.y * scale];
  const [width, height] = [face.width * scale, face.height * scale];
  // A dark rim keeps the box visible on a picture of its own colour.
  context.strokeStyle = "rgb(0 0 0 / 60%)";
  context.lineWidth = (isFocus ? 7 : 5) * unit;
  context.strokeRect(x, y, width, height);
  context.strokeStyle = colour;
  context.lineWidth = (isFocus ? 4 : 2.5) * unit;
  context.strokeRect(x, y, width, height);
  const person = face.track_id > 0 ? `${face.track_id}  ` : "";
  drawLabel(context, person + labelOf(face), x, y, unit, colour);
}

function drawLabel(
  context: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  unit: number,
  colour: string,
): void {
  const height = 24 * unit;
  const width = context.measureText(text).width + 16 * unit;
  const left = Math.min(Math.max(x, 0), context.canvas.width - width);
  const top = Math.max(y - height - 2 * unit, 0);
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(left, top, width, height, 6 * unit);
  context.fill();
  context.fillStyle = textColour(colour);
  context.fillText(text, left + 8 * unit, top + height / 2 + unit);
}

/** Where the picture lies in a screen that shows all of it: scale and margins. */
export interface Fit {
  readonly scale: number;
  readonly left: number;
  readonly top: number;
}

export function fit(
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

/** The overlay over what the screen shows. */
export class Overlay {
  constructor(private readonly canvas: HTMLCanvasElement) {}

  show(result: Result | null, focus: FaceRecord | undefined): void {
    const { canvas } = this;
    const context = canvas.getContext("2d")!;
    const ratio = window.devicePixelRatio;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    if (!result || result.width === 0) return;
    const { scale, left, top } = fit(canvas, result);
    context.translate(left, top);
    drawFaces(context, result, scale, ratio, focus);
  }

  /** The face at a point of the page, if there is one. */
  faceAt(result: Result, clientX: number, clientY: number): FaceRecord | undefined {
    const area = this.canvas.getBoundingClientRect();
    const { scale, left, top } = fit(area, result);
    const x = (clientX - area.left - left) / scale;
    const y = (clientY - area.top - top) / scale;
    return result.faces.find(
      (face) =>
        x >= face.x && x <= face.x + face.width && y >= face.y && y <= face.y + face.height,
    );
  }
}
