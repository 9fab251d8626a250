// What happens to one face's results over time: mien.engine.tracks in Python.

import type { Quality } from "./quality";

/** What the network says of one face in one frame. */
export interface Observation {
  readonly trackId: number;
  readonly probabilities: Float32Array;
  /** What the network's heads read; null where it does not tell. */
  readonly features: Float32Array | null;
  readonly quality: Quality;
}

/** What is to be shown of a face. */
export interface Shown {
  readonly probabilities: Float32Array;
  /** An index into the probabilities, which need not be that of the largest. */
  readonly label: number;
  /** Probabilities of all that the track showed so far; null where that is left to whoever sums up. */
  readonly whole: Float32Array | null;
}

/** Makes of what faces show now, and of what they showed before, what is to be said of them. */
export interface TrackMemory {
  /** For so long a track that is not seen is remembered. */
  readonly keepMs: number;
  /** Time constant of the smoothing; 0 without. */
  readonly smoothMs: number;
  /** The temporal network that says it; null without one. */
  readonly networkSha256: string | null;
  /** Takes in what some faces show now; gives what is to be shown of each. */
  observe(seen: readonly Observation[], nowMs: number): Promise<Shown[]>;
  /** Drops what is known of the tracks that are over. */
  forgetAllBut(trackIds: ReadonlySet<number>): void;
}
