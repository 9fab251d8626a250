// What is said of the speed, and when it is not said any more.

import { describe, expect, it } from "vitest";
import { Speed } from "../../src/speed";

it("says nothing of the speed of results that came long ago", () => {
  const speed = new Speed();
  for (let ms = 0; ms < 1000; ms += 20) {
    speed.addResult(ms, 14);
    speed.addDrawn(ms);
  }
  expect(speed.words(1000)).toBe("Running smoothly");
  expect(speed.figures(1000)).toBe("50 results and 50 drawn frames a second, 14 ms");
  expect(speed.words(5000)).toBe("");
  expect(speed.figures(5000)).toBe("0.0 results and 0 drawn frames a second, 0 ms");
});

describe("what is said of the speed", () => {
  /** What is said after some seconds of results at each rate. */
  function said(...rates: readonly number[]): string[] {
    const speed = new Speed();
    let nowMs = 0;
    return rates.map((rate) => {
      // Longer than what is measured.
      for (const endMs = nowMs + 4000; nowMs < endMs; nowMs += 1000 / rate) speed.addResult(nowMs, 14);
      return speed.words(nowMs);
    });
  }

  it.each([
    [24, "Running a little slowly", "Running smoothly"],
    [10, "Running slowly", "Running a little slowly"],
  ])("stands still while the rate goes to and fro about %i", (threshold, below, above) => {
    const [less, more] = [0.95 * threshold, 1.05 * threshold];
    expect(said(less, more, less, more)).toEqual(Array(4).fill(below));
    expect(said(more, less, more, less)).toEqual(Array(4).fill(above));
  });

  it("changes where the rate is well beyond a threshold, at once over two of them", () => {
    const [slow, little, smooth] = ["Running slowly", "Running a little slowly", "Running smoothly"];
    expect(said(23, 27, 21, 11.5, 8.5)).toEqual([little, smooth, little, little, slow]);
    expect(said(30, 5, 30)).toEqual([smooth, slow, smooth]);
  });

  it("stands still where results come so rarely that there is hardly a rate", () => {
    expect(said(2, 1, 2)).toEqual(Array(3).fill("Running slowly"));
  });
});
