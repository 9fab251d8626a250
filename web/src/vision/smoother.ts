// Calm probabilities: what mien.engine.smoothing does in Python.

const LEAD = 0.1;
const PATIENCE_MS = 400;
const SMALLEST = 1e-6;

interface Memory {
  readonly logs: Float64Array;
  label: number;
  updatedMs: number;
  labelLedMs: number;
}

/** Averages each track's log-probabilities over time; its label does not flicker. */
export class Smoother {
  readonly #memories = new Map<number, Memory>();

  constructor(private readonly timeConstantMs: number) {}

  /** Takes in what one face shows now; gives the averaged probabilities and the label to show. */
  smooth(
    trackId: number,
    probabilities: Float32Array,
    timestampMs: number,
  ): { probabilities: Float32Array; label: number } {
    const observed = Float64Array.from(probabilities, (p) => Math.log(Math.max(p, SMALLEST)));
    const memory = this.#memories.get(trackId);
    if (!memory) {
      const label = leaderOf(probabilities);
      this.#memories.set(trackId, {
        logs: observed,
        label,
        updatedMs: timestampMs,
        labelLedMs: timestampMs,
      });
      return { probabilities, label };
    }
    const weight = -Math.expm1(-(timestampMs - memory.updatedMs) / this.timeConstantMs);
    for (let i = 0; i < observed.length; i++) {
      memory.logs[i] = memory.logs[i]! + weight * (observed[i]! - memory.logs[i]!);
    }
    memory.updatedMs = timestampMs;
    const averaged = softmax(memory.logs);
    memory.label = heldLabel(memory, averaged, timestampMs);
    return { probabilities: averaged, label: memory.label };
  }

  /** Drops what is known of the tracks that are over. */
  forgetAllBut(trackIds: ReadonlySet<number>): void {
    for (const id of this.#memories.keys()) if (!trackIds.has(id)) this.#memories.delete(id);
  }
}

/** Index of the largest value. */
export function leaderOf(values: ArrayLike<number>): number {
  let leader = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[leader]!) leader = i;
  return leader;
}

/** Divides the logits behind the probabilities by the temperature, as mien.core.artifact does. */
export function applyTemperature(probabilities: Float32Array, temperature: number): Float32Array {
  if (temperature === 1) return probabilities;
  return softmax(Float64Array.from(probabilities, (p) => Math.log(Math.max(p, 1e-38)) / temperature));
}

function softmax(logits: Float64Array): Float32Array {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((a, b) => a + b);
  return Float32Array.from(powers, (power) => power / sum);
}

function heldLabel(memory: Memory, averaged: Float32Array, timestampMs: number): number {
  const leader = leaderOf(averaged);
  const isAhead = averaged[leader]! - averaged[memory.label]! >= LEAD;
  const isPatient = timestampMs - memory.labelLedMs < PATIENCE_MS;
  if (leader !== memory.label && !isAhead && isPatient) return memory.label;
  memory.labelLedMs = timestampMs;
  return leader;
}
