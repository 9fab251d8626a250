// For the tests: crops and probabilities of given faces, to compare with Python's.

import { type Backend, loadRuntime } from "../src/recognisers/runtime";
import { decodePhoto } from "../src/sources";
import { type Box, cropFace, type Framing, toNetworkInput } from "../src/vision/crop";
import { FaceLikeness } from "../src/vision/likeness";
import { measureQuality } from "../src/vision/quality";
import { type Pixels, reduce } from "../src/vision/resize";
import { applyTemperature, Smoother } from "../src/vision/smoother";

interface Question {
  readonly backend: Backend;
  readonly picture: string;
  readonly network: string;
  readonly faces: readonly { box: Box; landmarks: number[] }[];
  readonly framing: Framing;
  readonly temperature: number;
  readonly likenessSizes: readonly number[];
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
  const { backend, picture, network, faces, framing, temperature, likenessSizes } = question;
  const image = await pixels(picture);
  const crops = faces.map(({ box, landmarks }) => cropFace(image, box, landmarks, framing));
  const runtime = await loadRuntime(backend);
  const session = await runtime.open(new Uint8Array(await (await fetch(network)).arrayBuffer()));
  const input = runtime.tensor(toNetworkInput(crops), [crops.length, 48, 48, 1]);
  const rows = (await session.run({ faces: input }))["probabilities"]!.data as Float32Array;
  const parameters = await (await fetch("likeness.bin")).arrayBuffer();
  const likeness = new FaceLikeness(likenessSizes, new Float32Array(parameters));
  return {
    crops: crops.map((crop) => [...crop.data]),
    qualities: crops.map((crop, n) => measureQuality(crop, faces[n]!.box, image, likeness)),
    probabilities: crops.map((_, n) => [
      ...applyTemperature(rows.slice(n * 7, n * 7 + 7), temperature),
    ]),
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

Object.assign(window, { parity: { judge, reduced, smooth } });
