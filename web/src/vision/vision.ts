// A picture in, its judged faces out: detection, cropping and classification on this device.

import type { InferenceSession } from "onnxruntime-web/wasm";
import type { Runtime } from "../recognisers/runtime";
import type { JudgedFace, ModelInfo } from "../types";
import { cropFace, FACE_SIZE, toNetworkInput } from "./crop";
import { openInputSize } from "./onnx_graph";
import { measureQuality } from "./quality";
import type { Pixels } from "./resize";
import { applyTemperature } from "./smoother";
import { decode, type Detection, prepare } from "./yunet";

const LARGEST_BATCH = 64;
const CLASSES = 7;

/** The networks' files. */
export interface Files {
  readonly detector: ArrayBuffer;
  readonly network: ArrayBuffer;
}

/** The networks, opened. */
export class Vision {
  private constructor(
    private readonly runtime: Runtime,
    private readonly detector: InferenceSession,
    private readonly network: InferenceSession,
    private readonly model: ModelInfo,
    private readonly settings: NonNullable<ModelInfo["page_detector"]>,
  ) {}

  static async open(
    runtime: Runtime,
    model: ModelInfo,
    files: Files,
  ): Promise<Vision> {
    if (!model.page_detector) throw new Error("The server gave no detector.");
    return new Vision(
      runtime,
      await runtime.open(openInputSize(new Uint8Array(files.detector))),
      await runtime.open(new Uint8Array(files.network)),
      model,
      model.page_detector,
    );
  }

  /** Size to which pictures are reduced for the detector where nothing else is said. */
  get longestSide(): number {
    return this.settings.longest_side;
  }

  /** Finds and judges the faces of an RGBA picture, the largest first. */
  async recognise(image: Pixels, longestSide: number): Promise<JudgedFace[]> {
    const found = await this.detect(image, longestSide);
    const crops = found.map(({ box, landmarks }) =>
      cropFace(image, box, landmarks, this.settings.framing),
    );
    const judgements = await classify(this.runtime, this.network, crops, this.model.temperature);
    return found.map(({ box, score }, n) => {
      const { probabilities, likeness } = judgements[n]!;
      const quality = measureQuality(crops[n]!, likeness, box, image);
      return { ...box, detection_score: score, probabilities, quality };
    });
  }

  private async detect(image: Pixels, longestSide: number): Promise<Detection[]> {
    const picture = prepare(image, longestSide);
    const input = this.runtime.tensor(picture.data, [1, 3, picture.height, picture.width]);
    const outputs = await this.detector.run({ [this.detector.inputNames[0]!]: input });
    return decode(outputs, picture, this.settings.score_threshold);
  }
}

/** What the network says of a crop. */
export interface Judgement {
  readonly probabilities: Float32Array;
  /** How much it looks like a face, in log odds; infinite where the network does not tell. */
  readonly likeness: number;
}

/** Runs the network on crops; the same as `Recognizer.classify_with_likeness` in Python. */
export async function classify(
  runtime: Runtime,
  network: InferenceSession,
  crops: readonly Pixels[],
  temperature: number,
): Promise<Judgement[]> {
  const judgements: Judgement[] = [];
  for (let start = 0; start < crops.length; start += LARGEST_BATCH) {
    const batch = crops.slice(start, start + LARGEST_BATCH);
    const input = runtime.tensor(toNetworkInput(batch), [batch.length, FACE_SIZE, FACE_SIZE, 1]);
    const outputs = await network.run({ [network.inputNames[0]!]: input });
    const rows = outputs[network.outputNames[0]!]!.data as Float32Array;
    const likeness = outputs["face_likeness"]?.data as Float32Array | undefined;
    batch.forEach((_, n) => {
      const row = rows.slice(n * CLASSES, (n + 1) * CLASSES);
      const probabilities = applyTemperature(row, temperature);
      judgements.push({ probabilities, likeness: likeness?.[n] ?? Infinity });
    });
  }
  return judgements;
}
