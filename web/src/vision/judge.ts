// What located faces show, calmed over time; each is classified when its turn has come.

import type { Network, QualityGate } from "../readings";
import type { FaceRecord, JudgedFace } from "../types";
import { cropFace } from "./crop";
import type { HeadAngles } from "./angles";
import { isDue } from "./locator";
import type { Shown, TrackMemory } from "./memory";
import type { Networks } from "./networks";
import { measureQuality, missedLimits } from "./quality";
import { leaderOf } from "./smoother";
import type { TrackedFace } from "./tracker";
import type { View } from "./view";
import type { Detection } from "./yunet";

const CLASSIFY_EVERY_MS = 100;

interface Verdict {
  readonly probabilities: Float32Array;
  readonly label: number;
  readonly whole: Float32Array | null;
  readonly missedLimits: string | null;
  readonly angles: HeadAngles;
  readonly judgedMs: number;
}

/** Cuts out and classifies faces, and measures how well they can be seen. */
export async function judgeFaces(
  networks: Networks,
  picture: View,
  faces: readonly Detection[],
): Promise<JudgedFace[]> {
  const crops = faces.map(({ box, landmarks }) => 
    cropFace(picture, box, landmarks, networks.framing, networks.how.input),
  );
  const judgements = await networks.classify(crops);
  return faces.map((face, n) => {
    const { probabilities, features, likeness } = judgements[n]!;
    const quality = measureQuality(crops[n]!, likeness, face, picture);
    return { ...face.box, detection_score: face.score, probabilities, features, quality };
  });
}

/** Makes a row of the record. */
export function recordOf(
  { reading: { labels }, readingName }: Network,
  face: Pick<JudgedFace, "x" | "y" | "width" | "height" | "detection_score">,
  verdict: Omit<Verdict, "judgedMs">,
  when: Pick<FaceRecord, "frame" | "timestamp_ms" | "track_id" | "detected" | "smooth_ms" | "temporal_sha256">,
): FaceRecord {
  const { x, y, width, height, detection_score } = face;
  const { probabilities, label, whole, missedLimits, angles } = verdict;
  const named = (values: Float32Array) =>
    Object.fromEntries(labels.map((name, i) => [name, values[i]!]));
  return {
    ...when,
    ...{ x, y, width, height, detection_score },
    uncertain: missedLimits !== null,
    missed_limits: missedLimits,
    ...angles,
    emotion: labels[label]!,
    confidence: probabilities[label]!,
    shares: named(probabilities),
    whole: whole && named(whole),
    reading: readingName,
  };
}

/** The verdict on a single picture of a face. */
export function verdictOn(face: JudgedFace, gate: QualityGate): Omit<Verdict, "judgedMs"> {
  const { probabilities, quality } = face;
  const label = leaderOf(probabilities);
  const missed = missedLimits(gate, quality, probabilities[label]!);
  return { probabilities, label, whole: null, missedLimits: missed, angles: quality.angles };
}

/** Judges the faces of one video. */
export class EmotionJudge {
  readonly #verdicts = new Map<number, Verdict>();
  #previousMs = -Infinity;

  constructor(
    private readonly networks: Networks,
    private readonly gate: QualityGate,
    private readonly memory: TrackMemory,
  ) {}

  /** Says what the faces of the next frame show. */
  async judge(
    picture: View,
    tracked: readonly TrackedFace[],
    frame: number,
    nowMs: number,
  ): Promise<FaceRecord[]> {
    const due = this.#due(tracked, nowMs);
    const judged = await judgeFaces(this.networks, picture, due.map(({ face }) => face));
    const seen = judged.map((face, n) => ({ ...face, trackId: due[n]!.id }));
    const shown = await this.memory.observe(seen, nowMs);
    seen.forEach((face, n) => this.#renew(face.trackId, face, shown[n]!, nowMs));
    this.#forget(tracked, nowMs);
    return tracked.map(({ id, face: { box, score }, detected }) =>
      recordOf(
        this.networks.how,
        { ...box, detection_score: score },
        this.#verdicts.get(id)!,
        {
          ...{ frame, timestamp_ms: nowMs, track_id: id, detected },
          smooth_ms: this.memory.smoothMs,
          temporal_sha256: this.memory.networkSha256,
        },
      ),
    );
  }

  /** Those who were judged too long ago, and as many of the others as keeps the frames even. */
  #due(tracked: readonly TrackedFace[], nowMs: number): TrackedFace[] {
    const gapMs = Math.max(nowMs - this.#previousMs, 0);
    this.#previousMs = nowMs;
    const judgedMs = ({ id }: TrackedFace) => this.#verdicts.get(id)?.judgedMs ?? -Infinity;
    const due = tracked.filter((face) => isDue(judgedMs(face), CLASSIFY_EVERY_MS, nowMs, gapMs));
    if (due.length > 0 || tracked.length < 2) return due;
    // Faces that came in together would all be due together ever after, and that frame late.
    const share = (CLASSIFY_EVERY_MS * 0.8) / tracked.length;
    const newestMs = Math.max(...tracked.map(judgedMs));
    if (nowMs - newestMs < share) return due;
    const oldest = tracked.reduce((a, b) => (judgedMs(b) < judgedMs(a) ? b : a));
    return [oldest];
  }

  #renew(id: number, face: JudgedFace, shown: Shown, nowMs: number): void {
    const { probabilities, label } = shown;
    const missed = missedLimits(this.gate, face.quality, probabilities[label]!);
    const { angles } = face.quality;
    this.#verdicts.set(id, { ...shown, missedLimits: missed, angles, judgedMs: nowMs });
  }

  /** Drops what was seen too long ago to say anything of now. */
  #forget(tracked: readonly TrackedFace[], nowMs: number): void {
    const shown = new Set(tracked.map(({ id }) => id));
    for (const [id, { judgedMs }] of this.#verdicts) {
      if (!shown.has(id) && nowMs - judgedMs > this.memory.keepMs) this.#verdicts.delete(id);
    }
    this.memory.forgetAllBut(new Set(this.#verdicts.keys()));
  }
}
