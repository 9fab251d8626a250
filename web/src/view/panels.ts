// The panels beside the picture: bars of the face in focus, and who is there.

import { EMOTIONS, type Emotion, type FaceRecord } from "../types";
import { COLOURS, glyph, labelOf, nameOf, percent, personName } from "./look";

/** A bar per emotion for the face in focus. */
export class Bars {
  readonly #rows = new Map<Emotion, { bar: HTMLElement; value: HTMLElement }>();

  constructor(
    list: HTMLElement,
    private readonly verdict: HTMLElement,
    private readonly title: HTMLElement,
  ) {
    for (const emotion of EMOTIONS) list.append(this.#row(emotion));
  }

  show(face: FaceRecord | undefined, index: number): void {
    this.title.textContent = face ? personName(face, index) : "Face";
    this.verdict.textContent = face ? labelOf(face) : "No face";
    for (const [emotion, { bar, value }] of this.#rows) {
      const share = face?.[emotion] ?? 0;
      bar.style.setProperty("--share", String(share));
      value.textContent = face ? percent(share) : "";
    }
  }

  #row(emotion: Emotion): HTMLElement {
    const row = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = nameOf(emotion);
    const track = document.createElement("span");
    track.className = "bar";
    const bar = document.createElement("i");
    bar.style.background = COLOURS[emotion];
    track.append(bar);
    const value = document.createElement("span");
    value.className = "value";
    row.append(glyph(emotion), name, track, value);
    this.#rows.set(emotion, { bar, value });
    return row;
  }
}

/** Who is there: a button each, which puts them into focus. */
export class People {
  #buttons = new Map<string, HTMLButtonElement>();
  readonly #nobody = document.createElement("p");

  constructor(
    private readonly group: HTMLElement,
    private readonly choose: (face: FaceRecord) => void,
  ) {
    this.#nobody.textContent = "Nobody in the picture.";
    group.append(this.#nobody);
  }

  show(faces: readonly FaceRecord[], focus: FaceRecord | undefined): void {
    this.#nobody.hidden = faces.length > 0;
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
        button.replaceChildren(glyph(face.emotion), text);
      }
      kept.set(name, button);
    });
    for (const [name, button] of this.#buttons) if (!kept.has(name)) button.remove();
    // Moving a button takes the keyboard's focus from it: only new ones are put in.
    for (const [name, button] of kept) if (!this.#buttons.has(name)) this.group.append(button);
    this.#buttons = kept;
  }
}
