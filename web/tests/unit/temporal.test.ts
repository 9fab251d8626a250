// A temporal network: one state a track, forgotten with it; one reading, said where it is another.

import type { InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { describe, expect, it } from "vitest";
import type { Runtime } from "../../src/recognisers/runtime";
import { steadyingNote } from "../../src/view/words";
import type { Observation } from "../../src/vision/memory";
import { TemporalMemory } from "../../src/vision/temporal";

interface Fed {
  readonly data: Float32Array;
  readonly dims: number[];
}

/** A network whose state counts the moments of a face; what it is fed is kept. */
function counting() {
  const fed: Record<string, Fed>[] = [];
  const session = {
    run: async (inputs: Record<string, Fed>) => {
      fed.push(inputs);
      const rows = inputs["probabilities"]!;
      return {
        moment_probabilities: rows,
        clip_probabilities: rows,
        next_state: { data: inputs["state"]!.data.map((count) => count + 1) },
      };
    },
  };
  const runtime = { tensor: (data: Float32Array, dims: number[]) => ({ data, dims }) as unknown as Tensor };
  const memory = new TemporalMemory(
    runtime as unknown as Runtime,
    session as unknown as InferenceSession,
    { sha256: "ab12", state: 1, longest_elapsed_ms: 1000 },
  );
  return { fed, memory };
}

function seen(trackId: number): Observation {
  const measures = { sidePx: 50, inside: 1, brightness: 120, contrast: 30, sharpness: 1 };
  const angles = { yaw_degrees: null, pitch_degrees: null, roll_degrees: null };
  return {
    ...{ trackId, probabilities: Float32Array.of(0.25, 0.75), features: Float32Array.of(1, 2, 3) },
    quality: { ...measures, likeness: Infinity, angles },
  };
}

const fedAs = (inputs: Record<string, Fed>, name: string) => [...inputs[name]!.data];

describe("a temporal network", () => {
  it("has a state and a clock for each track, and is asked for all of them at once", async () => {
    const { fed, memory } = counting();
    await memory.observe([seen(1)], 0);
    await memory.observe([seen(2), seen(1)], 40);
    expect(fed.length).toBe(2);
    expect(fedAs(fed[1]!, "state")).toEqual([0, 1]);
    expect(fedAs(fed[1]!, "elapsed_ms")).toEqual([1000, 40]);
    expect(fed[1]!["features"]!.dims).toEqual([2, 3]);
    // A likeness that nobody told is the largest, not infinite.
    expect(fedAs(fed[0]!, "quality")).toEqual([120, 30, 1, 20]);
  });

  it("begins again with a track that was forgotten", async () => {
    const { fed, memory } = counting();
    await memory.observe([seen(1), seen(2)], 0);
    memory.forgetAllBut(new Set([2]));
    await memory.observe([seen(1), seen(2)], 100);
    expect(fedAs(fed[1]!, "state")).toEqual([0, 1]);
  });

  it("is not asked where nobody is seen", async () => {
    const { fed, memory } = counting();
    expect(await memory.observe([], 0)).toEqual([]);
    expect(fed).toEqual([]);
  });

  it("belongs to one reading, and the page says so of another", () => {
    expect(steadyingNote(true, "raters", "labels")).toMatch(/smoothed.*“as people would say it” only/);
    expect(steadyingNote(true, "raters", "raters")).toBe("");
    expect(steadyingNote(false, "raters", "labels")).toBe("");
  });
});
