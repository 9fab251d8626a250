// Which camera is the other one.

import { expect, it } from "vitest";
import { otherCamera } from "../../src/sources/camera";

const CAMERAS = ["a", "b", "c"].map((deviceId) => ({ deviceId }));

it("goes to the next camera where they look no way in particular", () => {
  const next = (deviceId: string) => otherCamera({ deviceId }, CAMERAS).deviceId;
  expect(["a", "b", "c"].map(next)).toEqual(["b", "c", "a"]);
  // One that is not listed any more.
  expect(next("gone")).toBe("a");
});

it("goes to the camera that looks the other way", () => {
  const facing = (facingMode: string) => otherCamera({ deviceId: "a", facingMode }, CAMERAS);
  expect(facing("user")).toEqual({ deviceId: "", facing: "environment" });
  expect(facing("environment")).toEqual({ deviceId: "", facing: "user" });
});
