// How fast a recogniser is, as measured here: frames a second and latency.

const SPAN_MS = 3000;

export class Speed {
  readonly #results: { atMs: number; latencyMs: number }[] = [];
  #last = "";

  add(nowMs: number, latencyMs: number): void {
    this.#results.push({ atMs: nowMs, latencyMs });
    while (nowMs - this.#results[0]!.atMs > SPAN_MS) this.#results.shift();
  }

  /** Forgets what was measured before a break, so that the break does not count. */
  pause(): void {
    this.#results.length = 0;
  }

  /** `24 FPS, 38 ms`; the last one while nothing is measured. */
  toString(): string {
    const count = this.#results.length;
    if (count >= 5) {
      const spanMs = this.#results[count - 1]!.atMs - this.#results[0]!.atMs;
      const latencies = this.#results.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
      const fps = ((count - 1) / spanMs) * 1000;
      this.#last = `${fps.toFixed(fps < 10 ? 1 : 0)} FPS, ${Math.round(latencies[count >> 1]!)} ms`;
    }
    return this.#last;
  }
}
