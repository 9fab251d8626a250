// What the face in focus shows, and who else is there.

import type { FaceRecord } from "../types";
import { colourOf, faultsOf, glyph, labelOf, nameOf, percent, personName } from "./look";

/** The verdict on the face in focus, and a bar for each label. */
export class Verdict {
  #rows = new Map<string, { row: HTMLElement; bar: HTMLElement; value: HTMLElement }>();
  #emotion = "";

  constructor(
    private readonly words: HTMLElement,
    private readonly face: HTMLElement,
    private readonly who: HTMLElement,
    private readonly why: HTMLElement,
    private readonly list: HTMLElement,
  ) {}

  /** Shows a face; without one, says so, if it is known that there is none. */
  show(
    face: FaceRecord | undefined,
    index: number,
    labels: readonly string[],
    isKnown: boolean,
  ): void {
    if (this.#rows.size !== labels.length) this.#begin(labels);
    this.words.textContent = face ? labelOf(face) : isKnown ? "No face" : "Looking …";
    this.who.textContent = face ? personName(face, index) : "";
    const faults = face ? faultsOf(face) : [];
    this.why.hidden = faults.length === 0;
    this.why.textContent = `Not to be relied upon: ${faults.join(", ")}.`;
    this.why.title = face?.missed_limits ?? "";
    const emotion = face?.emotion ?? "";
    if (emotion !== this.#emotion) {
      this.#emotion = emotion;
      this.face.replaceChildren(...(emotion ? [glyph(emotion)] : []));
    }
    const ranked = [...labels].sort((a, b) => (face?.shares[b] ?? 0) - (face?.shares[a] ?? 0));
    for (const [label, { row, bar, value }] of this.#rows) {
      const share = face?.shares[label] ?? 0;
      bar.style.setProperty("--share", String(share));
      value.textContent = face ? percent(share) : "";
      // On a phone, the three highest have room.
      row.style.setProperty("--rank", String(ranked.indexOf(label)));
      row.classList.toggle("lower", ranked.indexOf(label) > 2);
    }
  }

  #begin(labels: readonly string[]): void {
    this.#rows = new Map();
    this.list.replaceChildren(...labels.map((label) => this.#row(label)));
  }

  #row(label: string): HTMLElement {
    const row = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = nameOf(label);
    const track = document.createElement("span");
    track.className = "bar";
    const bar = document.createElement("i");
    bar.style.background = colourOf(label);
    track.append(bar);
    const value = document.createElement("span");
    value.className = "value";
    row.append(glyph(label), name, track, value);
    this.#rows.set(label, { row, bar, value });
    return row;
  }
}

/** Who is there: a button each, which puts them into focus. */
export class People {
  #buttons = new Map<string, HTMLButtonElement>();

  constructor(
    private readonly group: HTMLElement,
    private readonly choose: (face: FaceRecord) => void,
  ) {}

  show(faces: readonly FaceRecord[], focus: FaceRecord | undefined): void {
    const kept = new Map<string, HTMLButtonElement>();
    faces.forEach((face, index) => {
      const name = personName(face, index);
      const button = this.#buttons.get(name) ?? document.createElement("button");
      button.type = "button";
      button.onclick = () => this.choose(face);
      button.setAttribute("aria-pressed", String(face === focus));
      // Rewriting it every frame would make a press that spans two frames miss.
      if (button.dataset["emotion"] !== face.emotion) {
        button.dataset["emotion"] = face.emotion;
        const text = document.createElement("span");
        text.textContent = name;
        button.replaceChildren(glyph(face.emotion), text, document.createElement("small"));
      }
      button.lastElementChild!.textContent = labelOf(face);
      kept.set(name, button);
    });
    for (const [name, button] of this.#buttons) if (!kept.has(name)) button.remove();
    // Moving a button takes the keyboard's focus from it: only new ones are put in.
    for (const [name, button] of kept) if (!this.#buttons.has(name)) this.group.append(button);
    this.#buttons = kept;
  }
}
