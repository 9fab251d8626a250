// A temporal network instead of the smoother: what mien.engine.temporal does in Python.

import type { InferenceSession } from "onnxruntime-web/wasm";
import type { TemporalInfo } from "../readings";
import type { Runtime } from "../recognisers/runtime";
import type { Observation, Shown, TrackMemory } from "./memory";
import type { Quality } from "./quality";
import { type Held, heldLabel, leaderOf } from "./smoother";

const LARGEST_LIKENESS = 20; // log odds; infinite where the network does not tell

interface Memory extends Held {
  state: Float32Array;
  seenMs: number;
}

/** Asks a temporal network what each track shows; it remembers one state a track. */
export class TemporalMemory implements TrackMemory {
  // As long as a person who comes back is given the old number.
  readonly keepMs = 30_000;
  readonly smoothMs = 0;
  readonly #memories = new Map<number, Memory>();

  readonly networkSha256: string;

  constructor(
    private readonly runtime: Runtime,
    private readonly session: InferenceSession,
    private readonly info: Omit<TemporalInfo, "url" | "reading">,
  ) {
    this.networkSha256 = info.sha256;
  }

  async observe(seen: readonly Observation[], nowMs: number): Promise<Shown[]> {
    if (seen.length === 0) return [];
    const memories = seen.map(({ trackId }) => this.#memories.get(trackId));
    const { state: size, longest_elapsed_ms: longestMs } = this.info;
    const outputs = await this.session.run({
      features: this.#tensor(seen.map(({ features }) => features ?? [])),
      probabilities: this.#tensor(seen.map(({ probabilities }) => probabilities)),
      quality: this.#tensor(seen.map(({ quality }) => measuresOf(quality))),
      elapsed_ms: this.#tensor(memories.map((memory) => [memory ? nowMs - memory.seenMs : longestMs])),
      state: this.#tensor(memories.map((memory) => memory?.state ?? new Float32Array(size))),
    });
    const rows = (name: string, n: number) => {
      const data = outputs[name]!.data as Float32Array;
      const width = data.length / seen.length;
      return data.slice(n * width, (n + 1) * width);
    };
    return seen.map(({ trackId }, n) => {
      const probabilities = rows("moment_probabilities", n);
      const state = rows("next_state", n);
      const held = memories[n] ?? { label: leaderOf(probabilities), labelLedMs: nowMs };
      const label = heldLabel(held, probabilities, nowMs);
      this.#memories.set(trackId, { ...held, label, state, seenMs: nowMs });
      return { probabilities, label, whole: rows("clip_probabilities", n) };
    });
  }

  forgetAllBut(trackIds: ReadonlySet<number>): void {
    for (const id of this.#memories.keys()) if (!trackIds.has(id)) this.#memories.delete(id);
  }

  #tensor(rows: readonly ArrayLike<number>[]) {
    const width = rows[0]!.length;
    const data = new Float32Array(rows.length * width);
    rows.forEach((row, n) => data.set(row, n * width));
    return this.runtime.tensor(data, [rows.length, width]);
  }
}

/** What a temporal network reads of the quality, in this order. */
function measuresOf({ brightness, contrast, sharpness, likeness }: Quality): number[] {
  return [brightness, contrast, sharpness, Math.min(likeness, LARGEST_LIKENESS)];
}
