// Where labels go: at their faces, over no face and no other label; as mien.media.layout has it. A
// face whose label has no place gets its number.

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What is to be written at a face. */
export interface Caption {
  /** Tells who it is from frame to frame. */
  readonly key: number;
  readonly box: Rectangle;
  /** The best first, the shortest last. */
  readonly texts: readonly string[];
  readonly number: string;
}

/** A text on its tile. */
export interface Line {
  readonly text: string;
  /** Of its letters, in pixels. */
  readonly size: number;
  readonly place: Rectangle;
  readonly isNumber: boolean;
}

/** Width and height of the tile of a text in letters of a size. */
export type Measure = (text: string, size: number) => { width: number; height: number };

/** Which of its spots each face had, by key: a label does not jump to and fro. */
export type Spots = Map<number, number>;

const [LARGEST, SMALLEST] = [15, 11];
const OF_FACE = 1 / 7;
const NUMBER_OF_FACE = 0.3;
const SMALLEST_NUMBER = 9;
// Of a face that leaves no place beside it, its own label may cover this much.
const OWN_SHARE = 0.1;
const GAP = 3;

/** Finds a place for every caption. `unit` is the size of a pixel as the eye has it. */
export function layOut(
  area: { readonly width: number; readonly height: number },
  captions: readonly Caption[],
  unit: number,
  measure: Measure,
  spots: Spots = new Map(),
): Line[] {
  const keys = new Set(captions.map(({ key }) => key));
  for (const key of spots.keys()) if (!keys.has(key)) spots.delete(key);
  const order = [...captions.keys()].sort((a, b) => areaOf(captions[b]!.box) - areaOf(captions[a]!.box));
  let layout = new Layout(area, captions, unit, measure, spots);
  const lines = new Map<number, Line>();
  for (const index of order) {
    const line = layout.label(index);
    if (line) lines.set(index, line);
  }
  let missing = order.filter((index) => !lines.has(index));
  // Where most have no place, all are numbered.
  if (2 * missing.length > captions.length) {
    layout = new Layout(area, captions, unit, measure, spots);
    missing = order;
  }
  for (const index of missing) lines.set(index, layout.number(index));
  return captions.map((_, index) => lines.get(index)!);
}

/** A picture that fills up. */
class Layout {
  readonly #taken: Rectangle[];

  constructor(
    private readonly area: { readonly width: number; readonly height: number },
    private readonly captions: readonly Caption[],
    private readonly unit: number,
    private readonly measure: Measure,
    private readonly spots: Spots,
  ) {
    this.#taken = captions.map(({ box }) => box);
  }

  label(index: number): Line | null {
    const { box, texts, key } = this.captions[index]!;
    const size = clamp(box.width * OF_FACE, SMALLEST * this.unit, LARGEST * this.unit);
    const sizes = new Set([size, Math.max(0.75 * size, SMALLEST * this.unit)]);
    const wishes = texts.flatMap((text) => [...sizes].map((one) => ({ text, size: one })));
    for (const { text, size: one } of wishes) {
      const place = this.#beside(index, this.measure(text, one), key);
      if (place) return this.#take({ text, size: one, place, isNumber: false });
    }
    for (const { text, size: one } of wishes) {
      const place = this.#within(index, this.measure(text, one));
      if (place) return this.#take({ text, size: one, place, isNumber: false });
    }
    return null;
  }

  number(index: number): Line {
    const { box, number: text, key } = this.captions[index]!;
    const side = Math.min(box.width, box.height);
    const size = clamp(side * NUMBER_OF_FACE, SMALLEST_NUMBER * this.unit, LARGEST * this.unit);
    const { width, height } = this.measure(text, size);
    const corners = [
      { x: box.x, y: box.y },
      { x: box.x + box.width - width, y: box.y },
      { x: box.x, y: box.y + box.height - height },
      { x: box.x + box.width - width, y: box.y + box.height - height },
    ].map(({ x, y }) => ({ ...this.#inside(x, y, width, height), width, height }));
    const others = this.#taken.filter((_, i) => i !== index);
    const covered = corners.map((place) => others.reduce((sum, other) => sum + shared(place, other), 0));
    const best = corners[covered.indexOf(Math.min(...covered))]!;
    const place = this.#beside(index, { width, height }, key) ?? best;
    return this.#take({ text, size, place, isNumber: true });
  }

  /** The best free spot at a face; the one that it had before, if that is free. */
  #beside(index: number, size: { width: number; height: number }, key: number): Rectangle | null {
    const spots = this.#spotsAt(index, size);
    const before = this.spots.get(key);
    const order = [...spots.keys()];
    if (before !== undefined) order.unshift(before);
    for (const spot of order) {
      const place = spots[spot]!;
      if (!this.#isFree(place, index)) continue;
      this.spots.set(key, spot);
      return place;
    }
    return null;
  }

  #spotsAt(index: number, { width, height }: { width: number; height: number }): Rectangle[] {
    const { box } = this.captions[index]!;
    const gap = GAP * this.unit;
    const [right, bottom] = [box.x + box.width, box.y + box.height];
    const across = [box.x, right - width, (box.x + right - width) / 2];
    const down = [box.y, bottom - height];
    return [
      ...[box.y - height - gap, bottom + gap].flatMap((y) =>
        across.map((x) => ({ ...this.#inside(x, y, width, height), y })),
      ),
      ...down.flatMap((y) =>
        [right + gap, box.x - width - gap].map((x) => ({ ...this.#inside(x, y, width, height), x })),
      ),
    ].map((place) => ({ ...place, width, height }));
  }

  #isFree(place: Rectangle, index: number): boolean {
    const { width, height } = this.area;
    if (place.x < 0 || place.y < 0 || place.x + place.width > width || place.y + place.height > height) {
      return false;
    }
    if (this.#taken.some((other) => shared(place, other) > 0)) return false;
    // Whoever reads takes a label for that of the face below it: any other keeps its distance.
    if (place.y + place.height <= this.captions[index]!.box.y) return true;
    const wide = {
      x: place.x - place.height,
      y: place.y - place.height,
      width: place.width + 2 * place.height,
      height: 3 * place.height,
    };
    return this.captions.every(({ box }, i) => i === index || shared(wide, box) === 0);
  }

  /** A place in a face so large that it leaves none beside it. */
  #within(index: number, { width, height }: { width: number; height: number }): Rectangle | null {
    const { box } = this.captions[index]!;
    if (width > box.width || width * height > OWN_SHARE * areaOf(box)) return null;
    const place = { ...this.#inside(box.x, box.y, width, height), width, height };
    const others = this.#taken.filter((_, i) => i !== index);
    return others.every((other) => shared(place, other) === 0) ? place : null;
  }

  #inside(x: number, y: number, width: number, height: number): { x: number; y: number } {
    return {
      x: Math.max(Math.min(x, this.area.width - width), 0),
      y: Math.max(Math.min(y, this.area.height - height), 0),
    };
  }

  #take(line: Line): Line {
    this.#taken.push(line.place);
    return line;
  }
}

/** Where a legend of so many equal rows covers least: in a corner, in one or more columns. */
export function placeLegend(
  area: { readonly width: number; readonly height: number },
  taken: readonly Rectangle[],
  rows: number,
  row: { readonly width: number; readonly height: number },
): { place: Rectangle; columns: number } {
  let best: { place: Rectangle; columns: number } | null = null;
  let least = Infinity;
  for (let columns = 1; columns <= Math.min(rows, Math.max(Math.floor(area.width / row.width), 1)); columns++) {
    const width = columns * row.width;
    const height = Math.ceil(rows / columns) * row.height;
    if (height > area.height && columns * row.width + row.width <= area.width) continue;
    for (const y of [area.height - height, 0]) {
      for (const x of [0, area.width - width]) {
        const place = { x, y, width, height };
        const covered = taken.reduce((sum, other) => sum + shared(place, other), 0);
        if (covered < least) [best, least] = [{ place, columns }, covered];
      }
    }
  }
  return best!;
}

function shared(a: Rectangle, b: Rectangle): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  // Edges that touch share nothing, however they were rounded.
  return width > 1e-6 && height > 1e-6 ? width * height : 0;
}

function areaOf({ width, height }: Rectangle): number {
  return width * height;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
