// How a network is fed and how its outputs are read: the one place that knows the artifact.
//
// A network has heads, whose rows add up to 1. A reading says which of their classes are labels and
// how the heads share in the answer. This is what `mien.classifier.reading` does in Python.

/** `GET /v1/model`: the parts that the page uses. */
export interface ModelInfo {
  readonly sha256: string;
  readonly experiment: string;
  readonly input: NetworkInput;
  /** The classes of each head, by the name of the graph's output. */
  readonly heads: Readonly<Record<string, readonly string[]>>;
  /** The output with the log odds that the picture is a face; a network may lack it. */
  readonly face_likeness: string | null;
  /** The output with what the heads read; a network may lack it. */
  readonly features: string | null;
  readonly readings: Readonly<Record<string, Reading>>;
  /** The reading that is used where none is chosen. */
  readonly reading: string;
  readonly url: string;
  readonly server_detector: string;
  readonly page_detector: {
    readonly score_threshold: number;
    readonly longest_side: number;
    readonly framing: Framing;
    readonly url: string;
  } | null;
  readonly smooth_ms: number;
  /** The temporal network that judges videos and streams there, for its own reading alone. */
  readonly temporal_sha256: string | null;
  readonly quality_gate: QualityGate;
  /** The temporal network that the page can run; null where there is none for the network. */
  readonly page_temporal: TemporalInfo | null;
}

/** A temporal network: its file, the reading that it belongs to, and how to feed it. */
export interface TemporalInfo {
  readonly url: string;
  readonly sha256: string;
  readonly reading: string;
  /** How many numbers a face's state has; a new face's are zeros. */
  readonly state: number;
  /** What counts as the time before a face's first moment. */
  readonly longest_elapsed_ms: number;
}

/** From a detector's box to the square that FER2013 would have cut out. */
export interface Framing {
  readonly scale: number;
  readonly offset_x: number;
  readonly offset_y: number;
}

/** The least that a face must offer, or its result is uncertain. */
export interface QualityGate {
  readonly min_side_px: number;
  readonly min_inside: number;
  readonly min_brightness: number;
  readonly max_brightness: number;
  readonly min_contrast: number;
  readonly min_sharpness: number;
  readonly max_sharpness: number;
  readonly max_yaw_degrees: number;
  readonly max_pitch_degrees: number;
  readonly min_likeness: number;
  readonly min_confidence: number;
}

/** What a network reads: (pixel - mean) * scale, one mean and one scale a channel. */
export interface NetworkInput {
  readonly name: string;
  /** Side of a crop, in pixels. */
  readonly side: number;
  /** 1 is grey, 3 is RGB. */
  readonly channels: number;
  readonly mean: readonly number[];
  readonly scale: readonly number[];
}

/** How to feed a network and how to read what it answers. */
export interface Network {
  readonly input: NetworkInput;
  readonly heads: ModelInfo["heads"];
  readonly faceLikeness: string | null;
  readonly features: string | null;
  readonly readingName: string;
  readonly reading: Reading;
}

/** Which classes are labels, and the share of each head in their probabilities. */
export interface Reading {
  readonly labels: readonly string[];
  /** By head; they add up to 1. */
  readonly shares: Readonly<Record<string, number>>;
  readonly temperature: number;
}

/** The graph's outputs by name: float32 rows, one for each face. */
export type Outputs = Readonly<
  Record<string, { readonly data: unknown; readonly dims: readonly number[] }>
>;

/** What the network says of one face. */
export interface Judgement {
  /** One for each of the reading's labels; they add up to 1. */
  readonly probabilities: Float32Array;
  /** How much it looks like a face, in log odds; infinite where the network does not tell. */
  readonly likeness: number;
  /** What the heads read; null where the network does not tell. */
  readonly features: Float32Array | null;
}

/** The temporal network that the page can run for the reading that is chosen; null if none. */
export function temporalOf(model: ModelInfo, chosen: string | null): TemporalInfo | null {
  const { page_temporal: temporal } = model;
  return temporal?.reading === networkOf(model, chosen).readingName ? temporal : null;
}

// Below it, float32 has no normal numbers.
const SMALLEST = 1e-38;

/** Says how the network of a server is fed and read; by its own reading if none is chosen. */
export function networkOf(model: ModelInfo, chosen: string | null = null): Network {
  const readingName = chosen !== null && chosen in model.readings ? chosen : model.reading;
  return {
    input: model.input,
    heads: model.heads,
    faceLikeness: model.face_likeness,
    features: model.features,
    readingName,
    reading: model.readings[readingName]!,
  };
}

/** Reads the answer for the face at `row`. */
export function judgementAt(network: Network, outputs: Outputs, row: number): Judgement {
  const { labels, shares, temperature } = network.reading;
  const blend = new Float64Array(labels.length);
  for (const [head, share] of Object.entries(shares)) {
    if (share === 0) continue;
    const classes = network.heads[head]!;
    const values = rowOf(outputs, head, row, classes.length);
    // A row whose labels are all 0 says that it cannot tell them apart.
    const chosen = labels.map((label) => Math.max(values[classes.indexOf(label)]!, SMALLEST));
    const sum = chosen.reduce((a, b) => a + b, 0);
    chosen.forEach((value, i) => (blend[i] = blend[i]! + (share * value) / sum));
  }
  const { faceLikeness, features } = network;
  const likeness = faceLikeness === null ? undefined : rowOf(outputs, faceLikeness, row, 1)[0];
  return {
    probabilities: applyTemperature(blend, temperature),
    likeness: likeness ?? Infinity,
    // A copy: the rows of the batch would be kept with it.
    features:
      features === null
        ? null
        : rowOf(outputs, features, row, outputs[features]!.dims[1]!).slice(),
  };
}

function rowOf(outputs: Outputs, head: string, row: number, length: number): Float32Array {
  const data = outputs[head]?.data as Float32Array | undefined;
  if (!data) throw new Error(`The network has no output “${head}”.`);
  return data.subarray(row * length, (row + 1) * length);
}

/** Divides the logits behind the probabilities by the temperature. */
function applyTemperature(probabilities: Float64Array, temperature: number): Float32Array {
  if (temperature === 1) return Float32Array.from(probabilities);
  return softmax(probabilities.map((p) => Math.log(Math.max(p, SMALLEST)) / temperature));
}

/** Turns logits into probabilities. */
export function softmax(logits: Float64Array): Float32Array {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((a, b) => a + b);
  return Float32Array.from(powers, (power) => power / sum);
}
