// For the tests: crops and probabilities of given faces, to compare with Python's, and records.

import { type Backend, loadRuntime } from "../src/recognisers/runtime";
import { Session } from "../src/session";
import { decodePhoto } from "../src/sources";
import type { FaceRecord } from "../src/types";
import { type Box, cropFace, type Framing } from "../src/vision/crop";
import { measureQuality } from "../src/vision/quality";
import { type Pixels, reduce } from "../src/vision/resize";
import { Smoother } from "../src/vision/smoother";
import { classify } from "../src/vision/vision";

interface Question {
  readonly backend: Backend;
  readonly picture: string;
  readonly network: string;
  readonly faces: readonly { box: Box; landmarks: number[] }[];
  readonly framing: Framing;
  readonly temperature: number;
}

async function pixels(picture: string): Promise<Pixels> {
  const bitmap = await decodePhoto(await (await fetch(picture)).blob());
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { alpha: false })!;
  context.drawImage(bitmap, 0, 0);
  return { data: context.getImageData(0, 0, width, height).data, width, height, channels: 4 };
}

/** Cuts the faces out of a picture and classifies them. */
async function judge(question: Question) {
  const { backend, picture, network, faces, framing, temperature } = question;
  const image = await pixels(picture);
  const crops = faces.map(({ box, landmarks }) => cropFace(image, box, landmarks, framing));
  const runtime = await loadRuntime(backend);
  const session = await runtime.open(new Uint8Array(await (await fetch(network)).arrayBuffer()));
  const judgements = await classify(runtime, session, crops, temperature);
  return {
    crops: crops.map((crop) => [...crop.data]),
    qualities: crops.map((crop, n) =>
      measureQuality(crop, judgements[n]!.likeness, faces[n]!.box, image),
    ),
    probabilities: judgements.map(({ probabilities }) => [...probabilities]),
  };
}

/** Reduces a picture as the detector sees it. */
async function reduced(picture: string, longestSide: number) {
  const { image, scale } = reduce(await pixels(picture), longestSide);
  return { width: image.width, height: image.height, scale, data: [...image.data] };
}

/** Smooths a course of probabilities of one person. */
function smooth(course: readonly { ms: number; probabilities: number[] }[], smoothMs: number) {
  const smoother = new Smoother(smoothMs);
  return course.map(({ ms, probabilities }) => {
    const out = smoother.smooth(1, Float32Array.from(probabilities), ms);
    return { label: out.label, probabilities: [...out.probabilities] };
  });
}

/** Records a person for so many frames; returns the frames that the last minute shows. */
function recorded(frames: number, everyMs: number) {
  const session = new Session();
  const face = { track_id: 1 } as FaceRecord;
  for (let frame = 0; frame < frames; frame++) {
    const faces = [{ ...face, frame, timestamp_ms: frame * everyMs }];
    session.add({ width: 1, height: 1, faces });
  }
  return session.lastMinute(1, (frames - 1) * everyMs).map((row) => row.frame);
}

Object.assign(window, { parity: { judge, reduced, smooth, recorded } });
