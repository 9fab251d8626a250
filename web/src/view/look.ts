// How an emotion looks: its colour, its little face, its words.

import { EMOTIONS, type Emotion, type FaceRecord } from "../types";

/** The palette of Okabe and Ito (2008), which colour-blind people can tell apart. */
export const COLOURS: Readonly<Record<Emotion, string>> = {
  angry: "#d55e00",
  disgust: "#009e73",
  fear: "#cc79a7",
  happy: "#f0e442",
  sad: "#0072b2",
  surprise: "#e69f00",
  neutral: "#56b4e9",
};

export const UNCERTAIN_COLOUR = "#bebebe";

// On these backgrounds white text stands out better than black.
const DARK: ReadonlySet<string> = new Set([COLOURS.sad]);

// Mouth and brows in a square of 32 units.
const FEATURES: Readonly<Record<Emotion, string>> = {
  angry: "M10 23q6-5 12 0 M7 9l7 3 M25 9l-7 3",
  disgust: "M9 22q3-4 6 0t7-1 M8 10l6 1 M24 10l-6 1",
  fear: "M10 23q2-3 4 0t4 0 4 0 M7 11l6-3 M25 11l-6-3",
  happy: "M9 19q7 8 14 0",
  sad: "M10 24q6-6 12 0 M7 11l6-2 M25 11l-6-2",
  surprise: "M16 19a3.5 4 0 1 0 .01 0 M8 8q3-3 6-1 M24 8q-3-3-6-1",
  neutral: "M10 22h12",
};

const SVG = "http://www.w3.org/2000/svg";

/** A little face that shows the emotion; decoration only. */
export function glyph(emotion: Emotion): SVGElement {
  const svg = svgElement("svg", { viewBox: "0 0 32 32", class: "glyph", "aria-hidden": "true" });
  const ink = textColour(COLOURS[emotion]);
  svg.append(
    svgElement("circle", { cx: "16", cy: "16", r: "15", fill: COLOURS[emotion] }),
    svgElement("circle", { cx: "11", cy: "14.5", r: "2", fill: ink }),
    svgElement("circle", { cx: "21", cy: "14.5", r: "2", fill: ink }),
    svgElement("path", {
      d: FEATURES[emotion],
      fill: "none",
      stroke: ink,
      "stroke-width": "2",
      "stroke-linecap": "round",
    }),
  );
  return svg;
}

function svgElement(name: string, attributes: Record<string, string>): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Black or white, whichever stands out. */
export function textColour(background: string): string {
  return DARK.has(background) ? "#fff" : "#000";
}

/** The colour of a face's box. */
export function colourOf(face: FaceRecord): string {
  return face.uncertain ? UNCERTAIN_COLOUR : COLOURS[face.emotion];
}

/** `Happy 92%`, or `Happy? 41%` if it is uncertain. */
export function labelOf(face: FaceRecord): string {
  return `${nameOf(face.emotion)}${face.uncertain ? "?" : ""} ${percent(face.confidence)}`;
}

export function nameOf(emotion: Emotion): string {
  return emotion[0]!.toUpperCase() + emotion.slice(1);
}

export function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

/** What a face is called in lists and labels. */
export function personName(face: FaceRecord, index: number): string {
  return face.track_id > 0 ? `Person ${face.track_id}` : `Face ${index + 1}`;
}

export { EMOTIONS };
