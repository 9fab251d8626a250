// Calm probabilities; a time constant of 0 calms nothing, as in Python.

import { describe, expect, it } from "vitest";
import { Smoother } from "../../src/vision/smoother";

describe("smoothing over 0 ms", () => {
  it("gives back what two frames of one moment show", () => {
    const smoother = new Smoother(0);
    for (const shares of [Float32Array.of(0.9, 0.1), Float32Array.of(0.2, 0.8)]) {
      expect(smoother.smooth(1, shares, 40).probabilities).toEqual(shares);
    }
  });

  it("shows whichever label leads, by however little", () => {
    const smoother = new Smoother(0);
    expect(smoother.smooth(1, Float32Array.of(0.5, 0.45), 0).label).toBe(0);
    expect(smoother.smooth(1, Float32Array.of(0.45, 0.5), 40).label).toBe(1);
  });
});
