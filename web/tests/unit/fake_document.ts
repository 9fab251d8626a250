// The page's elements, as far as what shows them looks: each is there as soon as it is asked for.

import { vi } from "vitest";

/** A drawing of which the boxes and the last bar are known. */
class FakeContext {
  globalAlpha = 1;
  boxes: { x: number; opacity: number }[] = [];
  barX: number | null = null;
  #x = 0;

  resetTransform = () => void (this.boxes = []);
  roundRect = (x: number) => void (this.#x = x);
  measureText = (text: string) => ({ width: 8 * text.length });
  fillRect = (x: number) => void (this.barX = x);
  /** Every box is stroked twice: its rim and its colour. */
  stroke = () => {
    const box = { x: this.#x, opacity: this.globalAlpha };
    if (this.boxes.at(-1)?.x !== box.x) this.boxes.push(box);
  };
}

export class FakeElement extends EventTarget {
  hidden = false;
  disabled = false;
  checked = false;
  textContent = "";
  title = "";
  value = "";
  max = "";
  children: FakeElement[] = [];
  onclick: () => void = () => {};
  readonly clientWidth = 640;
  readonly clientHeight = 360;
  readonly options: FakeElement[] = [];
  readonly dataset: Record<string, string> = {};
  readonly style = { setProperty: () => {} };
  readonly classList = { toggle: () => {} };
  readonly isConnected = true;
  readonly drawing = new FakeContext();
  readonly #attributes = new Map<string, string>();
  readonly #parts = new Map<string, FakeElement>();

  get parentElement(): FakeElement {
    return this.querySelector("parent");
  }

  get lastElementChild(): FakeElement {
    return this.querySelector("last");
  }

  querySelector(selector: string): FakeElement {
    if (!this.#parts.has(selector)) this.#parts.set(selector, new FakeElement());
    return this.#parts.get(selector)!;
  }

  getContext(): object {
    const nothing = () => {};
    return new Proxy(this.drawing, {
      get: (drawing, name) => (name in drawing ? drawing[name as keyof FakeContext] : nothing),
      set: (drawing, name, value) => Object.assign(drawing, { [name]: value as unknown }) === drawing,
    });
  }

  getAttribute = (name: string) => this.#attributes.get(name) ?? null;
  setAttribute = (name: string, value: string) => void this.#attributes.set(name, value);
  removeAttribute = (name: string) => void this.#attributes.delete(name);
  append = (...children: FakeElement[]) => void this.children.push(...children);
  replaceChildren = (...children: FakeElement[]) => void (this.children = children);
  closest = () => null;
  focus = () => {};
  remove = () => {};
}

/** Lets the page's elements be asked for; returns what finds one by its id. */
export function stubDocument(): (id: string) => FakeElement {
  const elements = new Map<string, FakeElement>();
  const byId = (id: string) => {
    if (!elements.has(id)) elements.set(id, new FakeElement());
    return elements.get(id)!;
  };
  vi.stubGlobal("document", {
    ...{ hidden: false, activeElement: null, body: new FakeElement() },
    getElementById: byId,
    querySelectorAll: () => [],
    createElement: () => new FakeElement(),
    createElementNS: () => new FakeElement(),
  });
  vi.stubGlobal("window", { devicePixelRatio: 1 });
  vi.stubGlobal("getComputedStyle", () => ({ getPropertyValue: () => "" }));
  vi.stubGlobal("ResizeObserver", class {
    observe() {}
  });
  vi.stubGlobal("requestAnimationFrame", (show: () => void) => setTimeout(show, 16));
  return byId;
}
