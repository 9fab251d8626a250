// For the tests: crops and probabilities of given faces, to compare with Python's, and records.

import { type Backend, loadRuntime } from "../src/recognisers/runtime";
import { decodePhoto } from "../src/sources/photo";
import type { Framing, Network } from "../src/readings";
import { type Box, cropFace } from "../src/vision/crop";
import { classify } from "../src/vision/networks";
import type { Observation } from "../src/vision/memory";
import { measureQuality } from "../src/vision/quality";
import { TemporalMemory } from "../src/vision/temporal";
import { Smoother } from "../src/vision/smoother";
import { FrameReader, type FrameView, reduceExactly } from "../src/vision/view";

interface Question {
  readonly backend: Backend;
  readonly picture: string;
  readonly network: string;
  readonly faces: readonly { box: Box; landmarks: number[] }[];
  readonly framing: Framing;
  readonly settings: Network;
}

async function viewOf(picture: string): Promise<FrameView> {
  return new FrameReader().openStill(await decodePhoto(await (await fetch(picture)).blob()));
}

/** Cuts the faces out of a picture and classifies them. */
async function judge(question: Question) {
  const { backend, picture, network, faces, framing, settings } = question;
  const image = await viewOf(picture);
  const crops = faces.map(({ box, landmarks }) => cropFace(image, box, landmarks, framing, settings.input));
  const runtime = await loadRuntime(backend, 1);
  const session = await runtime.open(new Uint8Array(await (await fetch(network)).arrayBuffer()));
  const judgements = await classify(runtime, session, settings, crops);
  return {
    crops: crops.map((crop) => [...crop.data]),
    qualities: crops.map((crop, n) =>
      measureQuality(crop, judgements[n]!.likeness, faces[n]!, image),
    ),
    probabilities: judgements.map(({ probabilities }) => [...probabilities]),
  };
}

/** Reduces a picture as the detector sees it. */
async function reduced(picture: string, longestSide: number) {
  const { image, scale } = reduceExactly(await viewOf(picture), longestSide);
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

interface Moment {
  readonly ms: number;
  readonly faces: readonly (Omit<Observation, "probabilities" | "features"> & {
    probabilities: number[];
    features: number[];
  })[];
}

/** Follows faces by a temporal network. */
async function follow(
  backend: Backend,
  network: string,
  info: { sha256: string; state: number; longest_elapsed_ms: number },
  moments: readonly Moment[],
) {
  const runtime = await loadRuntime(backend, 1);
  const bytes = new Uint8Array(await (await fetch(network)).arrayBuffer());
  const memory = new TemporalMemory(runtime, await runtime.open(bytes, true), info);
  const found = [];
  for (const { ms, faces } of moments) {
    const seen = faces.map((face) => ({
      ...face,
      probabilities: Float32Array.from(face.probabilities),
      features: Float32Array.from(face.features),
    }));
    const shown = await memory.observe(seen, ms);
    found.push(
      shown.map(({ label, probabilities, whole }) => ({
        ...{ label, probabilities: [...probabilities] },
        whole: [...whole!],
      })),
    );
  }
  return found;
}

Object.assign(window, { parity: { follow, judge, reduced, smooth } });
