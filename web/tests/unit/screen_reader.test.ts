// What those hear who see nothing, and where their keyboard is.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { FaceRecord } from "../../src/types";
import { Announcer } from "../../src/view/announcer";
import { keepFocus } from "../../src/view/focus";
import { announcementOf } from "../../src/view/look";

describe("a verdict", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is said when it changes, every few seconds at most, and the last of them in any case", () => {
    const said: string[] = [];
    const announcer = new Announcer((text) => said.push(text));
    announcer.tell("Happy");
    announcer.tell("Sad");
    announcer.tell("Angry");
    expect(said).toEqual(["Happy"]);
    vi.advanceTimersByTime(4000);
    expect(said).toEqual(["Happy", "Angry"]);
    vi.advanceTimersByTime(4000);
    for (let i = 0; i < 9; i++) announcer.tell("Angry");
    vi.advanceTimersByTime(4000);
    expect(said).toEqual(["Happy", "Angry"]);
    announcer.tell("Happy");
    expect(said.at(-1)).toBe("Happy");
  });

  it("is said at once after there was none", () => {
    const said: string[] = [];
    const announcer = new Announcer((text) => said.push(text));
    announcer.tell("a.jpg: Happy");
    vi.advanceTimersByTime(4000);
    announcer.tell("");
    announcer.tell("a.jpg: Happy");
    expect(said).toEqual(["a.jpg: Happy", "", "a.jpg: Happy"]);
  });

  it("is the label of a person, which stays where the percentage changes", () => {
    const face = { track_id: 2, emotion: "happy", uncertain: false } as FaceRecord;
    const said = [0.9, 0.8].map((confidence) => announcementOf({ ...face, confidence }, 0));
    expect(said).toEqual(["Person 2: Happy", "Person 2: Happy"]);
    expect(announcementOf({ ...face, uncertain: true }, 0)).toBe("Person 2: Happy, uncertain");
    expect(announcementOf(undefined, 0)).toBe("No face");
  });
});

describe("the keyboard", () => {
  const control = (isShown: boolean, isConnected = true) =>
    ({ isConnected, closest: () => (isShown ? null : {}), focus: vi.fn() }) as unknown as HTMLElement;

  it("goes to the first control that is there when its own went away", () => {
    for (const gone of [control(false), control(true, false)]) {
      const [hidden, first, second] = [control(false), control(true), control(true)];
      keepFocus(gone, [hidden, first, second]);
      expect(hidden.focus).not.toHaveBeenCalled();
      expect(first.focus).toHaveBeenCalledOnce();
      expect(second.focus).not.toHaveBeenCalled();
    }
  });

  it("stays where it is while that is there", () => {
    const first = control(true);
    keepFocus(control(true), [first]);
    keepFocus(null, [first]);
    expect(first.focus).not.toHaveBeenCalled();
  });
});
