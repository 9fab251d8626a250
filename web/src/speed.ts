// How fast recognition and drawing are, as measured here.

const SPAN_MS = 3000;
// At 24 results a second, faces seem to be followed as they move.
const LEVELS = [
  { fromFps: 0, words: "Running slowly" },
  { fromFps: 10, words: "Running a little slowly" },
  { fromFps: 24, words: "Running smoothly" },
] as const;
// Screen readers say every change: what was said holds until the rate is so far beyond a threshold.
const BEYOND = 0.1;

export class Speed {
  readonly #results: { atMs: number; latencyMs: number }[] = [];
  readonly #drawnMs: number[] = [];
  // What was said last; null before there is anything to say.
  #level: number | null = null;

  addResult(nowMs: number, latencyMs: number): void {
    this.#results.push({ atMs: nowMs, latencyMs });
    this.#prune(nowMs);
  }

  addDrawn(nowMs: number): void {
    this.#drawnMs.push(nowMs);
    this.#prune(nowMs);
  }

  /** Forgets what was measured before a break, so that the break does not count. */
  clear(): void {
    this.#results.length = 0;
    this.#drawnMs.length = 0;
    this.#level = null;
  }

  /** In plain words; empty before there is anything to say. */
  words(nowMs: number): string {
    this.#prune(nowMs);
    if (this.#results.length === 0) this.#level = null;
    const fps = perSecond(this.#results.map(({ atMs }) => atMs));
    // Of too few results there is no rate.
    if (fps > 0) this.#level = levelAt(fps, this.#level);
    return this.#level === null ? "" : LEVELS[this.#level]!.words;
  }

  /** `58 results and 60 drawn frames a second, 14 ms`. */
  figures(nowMs: number): string {
    this.#prune(nowMs);
    const results = perSecond(this.#results.map(({ atMs }) => atMs));
    const latencies = this.#results.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
    const latency = Math.round(latencies[latencies.length >> 1] ?? 0);
    const drawn = Math.round(perSecond(this.#drawnMs));
    return `${results.toFixed(results < 10 ? 1 : 0)} results and ${drawn} drawn frames a second, ${latency} ms`;
  }

  #prune(nowMs: number): void {
    const isOver = (atMs: number | undefined) => atMs !== undefined && nowMs - atMs > SPAN_MS;
    while (isOver(this.#results[0]?.atMs)) this.#results.shift();
    while (isOver(this.#drawnMs[0])) this.#drawnMs.shift();
  }
}

function levelAt(fps: number, said: number | null): number {
  const isReached = ({ fromFps }: { fromFps: number }, level: number) => {
    if (said === null) return fps >= fromFps;
    return fps >= fromFps * (level > said ? 1 + BEYOND : 1 - BEYOND);
  };
  return LEVELS.filter(isReached).length - 1;
}

function perSecond(timesMs: readonly number[]): number {
  if (timesMs.length < 5) return 0;
  return ((timesMs.length - 1) / (timesMs.at(-1)! - timesMs[0]!)) * 1000;
}
