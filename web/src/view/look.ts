// How a label looks: its colour, its little face, its words.

import type { FaceRecord } from "../types";

/** The palette of Okabe and Ito (2008), which colour-blind people can tell apart. */
const COLOURS: Readonly<Record<string, string>> = {
  angry: "#d55e00",
  disgust: "#009e73",
  fear: "#cc79a7",
  happy: "#f0e442",
  sad: "#0072b2",
  surprise: "#e69f00",
  neutral: "#56b4e9",
};
/** For the labels of other networks: Paul Tol's "muted" scheme, then those above. */
const FURTHER_COLOURS = [
  ...["#cc6677", "#332288", "#ddcc77", "#117733", "#88ccee", "#882255", "#44aa99", "#999933"],
  ...["#aa4499", ...Object.values(COLOURS)],
];
const given = new Map<string, string>();

const UNCERTAIN_COLOUR = "#bebebe";

// Mouth and brows in a square of 32 units.
const FEATURES: Readonly<Record<string, string>> = {
  angry: "M10 23q6-5 12 0 M7 9l7 3 M25 9l-7 3",
  disgust: "M9 22q3-4 6 0t7-1 M8 10l6 1 M24 10l-6 1",
  fear: "M10 23q2-3 4 0t4 0 4 0 M7 11l6-3 M25 11l-6-3",
  happy: "M9 19q7 8 14 0",
  sad: "M10 24q6-6 12 0 M7 11l6-2 M25 11l-6-2",
  surprise: "M16 19a3.5 4 0 1 0 .01 0 M8 8q3-3 6-1 M24 8q-3-3-6-1",
  neutral: "M10 22h12",
};

const SVG = "http://www.w3.org/2000/svg";

export function colourOf(label: string): string {
  const known = COLOURS[label] ?? given.get(label);
  if (known) return known;
  // In the order in which they are first asked for, all 16 that a network may have differ.
  const colour = FURTHER_COLOURS[given.size % FURTHER_COLOURS.length]!;
  given.set(label, colour);
  return colour;
}

/** A little face that shows the label; decoration only. */
export function glyph(label: string): SVGElement {
  const svg = svgElement("svg", { viewBox: "0 0 32 32", class: "glyph", "aria-hidden": "true" });
  const colour = colourOf(label);
  const ink = textColour(colour);
  svg.append(svgElement("circle", { cx: "16", cy: "16", r: "15", fill: colour }));
  const features = FEATURES[label];
  if (!features) return svg;
  svg.append(
    svgElement("circle", { cx: "11", cy: "14.5", r: "2", fill: ink }),
    svgElement("circle", { cx: "21", cy: "14.5", r: "2", fill: ink }),
    svgElement("path", {
      d: features,
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
  const channels = [1, 3, 5].map((at) => parseInt(background.slice(at, at + 2), 16) / 255);
  const [red, green, blue] = channels.map((value) =>
    value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4,
  ) as [number, number, number];
  // WCAG's relative luminance, at which black and white contrast alike.
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}

/** The colour of a face's box. */
export function boxColourOf(face: FaceRecord): string {
  return face.uncertain ? UNCERTAIN_COLOUR : colourOf(face.emotion);
}

/** `Happy 92%`, or `Happy? 41%` if it is uncertain. */
export function labelOf(face: FaceRecord): string {
  return `${nameOf(face.emotion)}${face.uncertain ? "?" : ""} ${percent(face.confidence)}`;
}

/** `Person 1: Happy`, without the percentage, which never stands still. */
export function announcementOf(face: FaceRecord | undefined, index: number): string {
  if (!face) return "No face";
  const doubt = face.uncertain ? ", uncertain" : "";
  return `${personName(face, index)}: ${nameOf(face.emotion)}${doubt}`;
}

/** What is said of the limits that a face missed; as in mien.media.labels. */
const FAULTS: Readonly<Record<string, string>> = {
  min_side_px: "small",
  min_inside: "cut off",
  min_brightness: "dark",
  max_brightness: "bright",
  min_contrast: "pale",
  min_sharpness: "blurred",
  max_sharpness: "noisy",
  max_yaw_degrees: "turned",
  max_pitch_degrees: "up or down",
  min_likeness: "no face?",
  min_confidence: "doubtful",
};

/** Why a face is uncertain, in a word each: the reasons of its `missed_limits`. */
export function faultsOf(face: FaceRecord): readonly string[] {
  const limits = (face.missed_limits ?? "").split("; ").map((limit) => limit.split(" ")[0]!);
  return limits.filter(Boolean).map((name) => FAULTS[name] ?? name.replace(/^m.._/, "").replaceAll("_", " "));
}

export function nameOf(label: string): string {
  return label.charAt(0).toUpperCase() + label.slice(1);
}

export function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

/** What a face is called in lists and labels. */
export function personName(face: FaceRecord, index: number): string {
  return face.track_id > 0 ? `Person ${face.track_id}` : `Face ${index + 1}`;
}
