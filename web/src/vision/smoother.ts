// Calm probabilities: what mien.engine.smoothing does in Python.

import { softmax } from "../readings";
import type { Observation, Shown, TrackMemory } from "./memory";

const LEAD = 0.1;
const PATIENCE_MS = 400;
const SMALLEST = 1e-6;

/** The label that is shown, and when it was last the most probable one. */
export interface Held {
  label: number;
  labelLedMs: number;
}

interface Memory extends Held {
  readonly logs: Float64Array;
  updatedMs: number;
}

/** Averages each track's log-probabilities over time; its label does not flicker. */
export class Smoother implements TrackMemory {
  readonly keepMs = 1000;
  readonly networkSha256 = null;
  readonly #memories = new Map<number, Memory>();

  /** What was seen `smoothMs` ago weighs 1/e of what is seen now; 0 smooths nothing. */
  constructor(readonly smoothMs: number) {}

  async observe(seen: readonly Observation[], nowMs: number): Promise<Shown[]> {
    return seen.map(({ trackId, probabilities }) => this.smooth(trackId, probabilities, nowMs));
  }

  /** Takes in what one face shows now; gives the averaged probabilities and the label to show. */
  smooth(
    trackId: number,
    probabilities: Float32Array,
    timestampMs: number,
  ): Shown {
    if (this.smoothMs === 0) return { probabilities, label: leaderOf(probabilities), whole: null };
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
      return { probabilities, label, whole: null };
    }
    const weight = -Math.expm1(-(timestampMs - memory.updatedMs) / this.smoothMs);
    for (let i = 0; i < observed.length; i++) {
      memory.logs[i] = memory.logs[i]! + weight * (observed[i]! - memory.logs[i]!);
    }
    memory.updatedMs = timestampMs;
    const averaged = softmax(memory.logs);
    memory.label = heldLabel(memory, averaged, timestampMs);
    return { probabilities: averaged, label: memory.label, whole: null };
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


/** The label to show next: it does not follow every one that is a little ahead. */
export function heldLabel(memory: Held, averaged: Float32Array, timestampMs: number): number {
  const leader = leaderOf(averaged);
  const isAhead = averaged[leader]! - averaged[memory.label]! >= LEAD;
  const isPatient = timestampMs - memory.labelLedMs < PATIENCE_MS;
  if (leader !== memory.label && !isAhead && isPatient) return memory.label;
  memory.labelLedMs = timestampMs;
  return leader;
}
