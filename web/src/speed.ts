// How fast recognition and drawing are, as measured here.

const SPAN_MS = 3000;
// From so many results a second on, faces seem to be followed as they move.
const SMOOTH_FPS = 24;
const SLOW_FPS = 10;

export class Speed {
  readonly #results: { atMs: number; latencyMs: number }[] = [];
  readonly #drawnMs: number[] = [];

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
  }

  /** In plain words; empty before there is anything to say. */
  words(nowMs: number): string {
    this.#prune(nowMs);
    const fps = perSecond(this.#results.map(({ atMs }) => atMs));
    if (fps === 0) return "";
    if (fps >= SMOOTH_FPS) return "Running smoothly";
    return fps >= SLOW_FPS ? "Running a little slowly" : "Running slowly";
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

function perSecond(timesMs: readonly number[]): number {
  if (timesMs.length < 5) return 0;
  return ((timesMs.length - 1) / (timesMs.at(-1)! - timesMs[0]!)) * 1000;
}
