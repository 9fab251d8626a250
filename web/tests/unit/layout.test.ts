// Where labels go on the page.

import { describe, expect, it } from "vitest";
import { type Caption, layOut, type Line, placeLegend, type Rectangle, type Spots } from "../../src/view/layout";

const AREA = { width: 1280, height: 720 };
const measure = (text: string, size: number) => ({
  width: Math.max(0.6 * size * text.length + size, 1.6 * size),
  height: 1.6 * size,
});

function captions(boxes: readonly Rectangle[]): Caption[] {
  return boxes.map((box, i) => ({ key: i + 1, box, texts: ["Happy? 41% blurred", "Happy? 41%"], number: `${i + 1}` }));
}

function rows(rows: number, columns: number, stepX: number, stepY: number, side: number): Rectangle[] {
  return Array.from({ length: rows * columns }, (_, i) => ({
    x: 40 + (i % columns) * stepX,
    y: 100 + Math.floor(i / columns) * stepY,
    width: side,
    height: side,
  }));
}

function sharedArea(a: Rectangle, b: Rectangle): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return Math.max(width, 0) * Math.max(height, 0);
}

function covered(lines: readonly Line[], boxes: readonly Rectangle[]): number {
  const places = lines.map(({ place }) => place);
  const faces = places.flatMap((place) => boxes.map((box) => sharedArea(place, box)));
  const labels = places.flatMap((place, i) => places.slice(i + 1).map((other) => sharedArea(place, other)));
  return [...faces, ...labels].reduce((sum, area) => sum + area, 0);
}

describe("labels", () => {
  it("cover neither faces nor each other where there is room", () => {
    for (const boxes of [rows(1, 1, 0, 0, 200), rows(2, 4, 300, 280, 110), rows(3, 5, 240, 200, 30)]) {
      const lines = layOut(AREA, captions(boxes), 1, measure);
      expect(lines.every(({ isNumber }) => !isNumber)).toBe(true);
      expect(covered(lines, boxes)).toBeLessThan(1e-3);
    }
  });

  it("give way to numbers in a tight group", () => {
    const boxes = rows(3, 10, 108, 108, 100);
    const lines = layOut(AREA, captions(boxes), 1, measure);
    const numbers = lines.filter(({ isNumber }) => isNumber);
    expect(numbers.length).toBeGreaterThan(5);
    for (const [i, { place }] of lines.entries()) {
      for (const [j, box] of boxes.entries()) if (i !== j) expect(sharedArea(place, box)).toBeLessThan(1e-3);
    }
  });

  it("of a face that fills the picture lie in it", () => {
    const [line] = layOut(AREA, captions([{ x: -10, y: -10, width: 1300, height: 740 }]), 1, measure);
    expect(line).toMatchObject({ isNumber: false, place: { x: 0, y: 0 } });
  });

  it("do not jump to and fro while their place is free", () => {
    const spots: Spots = new Map();
    const at = (y: number) =>
      layOut(AREA, captions([{ x: 300, y, width: 100, height: 100 }]), 1, measure, spots)[0]!.place.y > y;
    expect([at(40), at(10), at(24), at(40), at(200)]).toEqual([false, true, true, true, true]);
  });
});

it("the legend takes the corner where it covers least", () => {
  const taken = [
    { x: 0, y: 0, width: 1280, height: 300 },
    { x: 0, y: 300, width: 600, height: 420 },
  ];
  const { place } = placeLegend(AREA, taken, 12, { width: 150, height: 24 });
  expect(taken.every((other) => sharedArea(place, other) === 0)).toBe(true);
});
