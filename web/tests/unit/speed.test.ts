// What is said of the speed when results stop coming.

import { expect, it } from "vitest";
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
