// A picture in, its judged faces out: detection, cropping and classification on this device.

import type { InferenceSession } from "onnxruntime-web/wasm";
import type { Runtime } from "../recognisers/runtime";
import type { JudgedFace, ModelInfo } from "../types";
import { cropFace, FACE_SIZE, toNetworkInput } from "./crop";
import { FaceLikeness } from "./likeness";
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
  readonly likeness: ArrayBuffer;
}

/** The networks, opened. */
export class Vision {
  private constructor(
    private readonly runtime: Runtime,
    private readonly detector: InferenceSession,
    private readonly network: InferenceSession,
    private readonly likeness: FaceLikeness,
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
      new FaceLikeness(model.likeness.sizes, new Float32Array(files.likeness)),
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
    const probabilities = await this.classify(crops);
    return found.map(({ box, score }, n) => ({
      ...box,
      detection_score: score,
      probabilities: probabilities[n]!,
      quality: measureQuality(crops[n]!, box, image, this.likeness),
    }));
  }

  private async detect(image: Pixels, longestSide: number): Promise<Detection[]> {
    const picture = prepare(image, longestSide);
    const input = this.runtime.tensor(picture.data, [1, 3, picture.height, picture.width]);
    const outputs = await this.detector.run({ [this.detector.inputNames[0]!]: input });
    return decode(outputs, picture, this.settings.score_threshold);
  }

  private async classify(crops: readonly Pixels[]): Promise<Float32Array[]> {
    const rows: Float32Array[] = [];
    for (let start = 0; start < crops.length; start += LARGEST_BATCH) {
      const batch = crops.slice(start, start + LARGEST_BATCH);
      const input = this.runtime.tensor(toNetworkInput(batch), [
        batch.length,
        FACE_SIZE,
        FACE_SIZE,
        1,
      ]);
      const outputs = await this.network.run({ [this.network.inputNames[0]!]: input });
      const all = outputs[this.network.outputNames[0]!]!.data as Float32Array;
      for (let n = 0; n < batch.length; n++) {
        const row = all.slice(n * CLASSES, (n + 1) * CLASSES);
        rows.push(applyTemperature(row, this.model.temperature));
      }
    }
    return rows;
  }
}
