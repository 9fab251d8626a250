// The two networks, opened: one finds faces, the other says what they show.

import type { InferenceSession } from "onnxruntime-web/wasm";
import {
  type Framing,
  type Judgement,
  judgementAt,
  type ModelInfo,
  type Network,
  networkOf,
} from "../readings";
import type { Runtime } from "../recognisers/runtime";
import { toNetworkInput } from "./crop";
import { openInputSize } from "./onnx_graph";
import type { Pixels } from "./resize";
import type { Reduced } from "./view";
import { decode, type Detection, prepare } from "./yunet";

const LARGEST_BATCH = 64;

/** The networks' files. */
export interface Files {
  readonly detector: ArrayBuffer;
  readonly network: ArrayBuffer;
}

/** Finds and classifies faces in pixels. */
export class Networks {
  private constructor(
    private readonly runtime: Runtime,
    private readonly detector: InferenceSession,
    private readonly classifier: InferenceSession,
    private readonly model: ModelInfo,
    private network: Network,
    /** Boxes below this score are no faces. */
    readonly scoreThreshold: number,
    /** Pictures are reduced to this longer side before small faces are sought. */
    readonly longestSide: number,
    readonly framing: Framing,
  ) {}

  static async open(runtime: Runtime, model: ModelInfo, files: Files): Promise<Networks> {
    const settings = model.page_detector!;
    return new Networks(
      runtime,
      await runtime.open(openInputSize(new Uint8Array(files.detector))),
      await runtime.open(new Uint8Array(files.network)),
      model,
      networkOf(model),
      settings.score_threshold,
      settings.longest_side,
      settings.framing,
    );
  }

  /** How the network is fed, and the reading that is chosen. */
  get how(): Network {
    return this.network;
  }

  /** Chooses a reading; the artifact's default if null. */
  readAs(reading: string | null): void {
    this.network = networkOf(this.model, reading);
  }

  /** Finds the faces of a picture that was reduced by `scale`; in pixels of the whole picture. */
  async detect(
    { image, scale }: Reduced,
    scoreThreshold = this.scoreThreshold,
  ): Promise<Detection[]> {
    const picture = prepare(image, scale);
    const input = this.runtime.tensor(picture.data, [1, 3, picture.height, picture.width]);
    const outputs = await this.detector.run({ [this.detector.inputNames[0]!]: input });
    return decode(outputs, picture, scoreThreshold);
  }

  classify(crops: readonly Pixels[]): Promise<Judgement[]> {
    return classify(this.runtime, this.classifier, this.network, crops);
  }
}

/** Runs the network on crops; the same as mien's classifier does in Python. */
export async function classify(
  runtime: Runtime,
  session: InferenceSession,
  network: Network,
  crops: readonly Pixels[],
): Promise<Judgement[]> {
  const judgements: Judgement[] = [];
  for (let start = 0; start < crops.length; start += LARGEST_BATCH) {
    const batch = crops.slice(start, start + LARGEST_BATCH);
    const { name, side, channels } = network.input;
    const pixels = toNetworkInput(batch, network.input);
    const input = runtime.tensor(pixels, [batch.length, side, side, channels]);
    const outputs = await session.run({ [name]: input });
    batch.forEach((_, row) => judgements.push(judgementAt(network, outputs, row)));
  }
  return judgements;
}
