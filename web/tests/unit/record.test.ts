// What is kept of the results: who is who, which rows there are, and the table.

import { describe, expect, it } from "vitest";
import { Identities } from "../../src/record/identities";
import { beginGap, endGap, FaceLog, facesAt, rowsBetween } from "../../src/record/record";
import { toCsv } from "../../src/record/table";
import type { FaceRecord } from "../../src/types";
import { liveSpan } from "../../src/view/chart";

function face(track_id: number, timestamp_ms: number, x = 100): FaceRecord {
  return {
    ...{ frame: 0, timestamp_ms, track_id, x, y: 50, width: 80, height: 80, detection_score: 0.9 },
    ...{ emotion: "happy", confidence: 0.9, shares: { happy: 0.9, sad: 0.1 }, uncertain: false },
    ...{ detected: true, smooth_ms: 130, reading: "raters", missed_limits: null },
    ...{ temporal_sha256: null, whole: null },
    ...{ yaw_degrees: 4.12, pitch_degrees: -6.3, roll_degrees: null },
  };
}

describe("people", () => {
  it("keep their numbers through a pause, where they stand", () => {
    const identities = new Identities();
    identities.restart(true);
    const before = identities.renumber([face(1, 0, 100), face(2, 0, 400)]);
    expect(before.map((row) => row.track_id)).toEqual([1, 2]);
    // The recogniser counts from 1 again, and in another order.
    identities.restart(true);
    const after = identities.renumber([face(1, 5000, 410), face(2, 5000, 95)]);
    expect(after.map((row) => row.track_id)).toEqual([2, 1]);
  });

  it("who is alone before and after is the same, wherever they went", () => {
    const identities = new Identities();
    identities.renumber([face(1, 0, 100)]);
    identities.restart(true);
    expect(identities.renumber([face(4, 9000, 500)])[0]!.track_id).toBe(1);
    // Whoever comes in later is somebody else.
    expect(identities.renumber([face(4, 20_000, 500), face(5, 20_000, 0)])[1]!.track_id).toBe(2);
  });

  it("keep their numbers though it starts again several times before they are seen again", () => {
    const identities = new Identities();
    identities.renumber([face(1, 0, 100), face(2, 0, 400)]);
    for (let pause = 0; pause < 2; pause++) identities.restart(true);
    expect(identities.renumber([face(1, 5000, 400)])[0]!.track_id).toBe(2);
    identities.restart(true);
    const both = identities.renumber([face(1, 10_000, 100), face(2, 10_000, 400)]);
    expect(both.map((row) => row.track_id)).toEqual([1, 2]);
    // Whoever left is no more expected after many new starts than after one.
    for (let seconds = 15; seconds <= 60; seconds += 5) {
      identities.restart(true);
      identities.renumber([face(1, seconds * 1000, 400)]);
    }
    identities.restart(true);
    expect(identities.renumber([face(1, 62_000, 100)])[0]!.track_id).toBe(2);
  });

  it("who was last seen over 30 s ago are not taken for whoever comes next", () => {
    for (const [elapsedMs, number] of [[30_000, 1], [30_001, 2]] as const) {
      const identities = new Identities();
      identities.renumber([face(1, 0)]);
      identities.restart(true);
      expect(identities.renumber([face(1, elapsedMs)])[0]!.track_id).toBe(number);
    }
  });

  it("who had left long before a pause do not keep who stayed from being known again", () => {
    const identities = new Identities();
    identities.renumber([face(1, 0, 100), face(2, 0, 400)]);
    identities.renumber([face(2, 60_000, 400)]);
    identities.restart(true);
    expect(identities.renumber([face(1, 65_000, 100)])[0]!.track_id).toBe(2);
  });

  it("of another video are other people", () => {
    const identities = new Identities();
    identities.renumber([face(1, 0)]);
    identities.restart(false);
    expect(identities.renumber([face(1, 0)])[0]!.track_id).toBe(2);
  });
});

describe("the record", () => {
  it("takes in the table of a long video at once", () => {
    const record = new FaceLog();
    record.add(record.begin("long.mp4"), Array<FaceRecord>(200_000).fill(face(1, 0)));
    expect(record.size).toBe(200_000);
  });

  it("knows what would be lost, and what is recognised once more", () => {
    const record = new FaceLog();
    const photo = record.begin("a.jpg");
    record.add(photo, [face(0, 0), face(0, 0)]);
    record.add(record.begin("sample", true), [face(0, 0)]);
    expect([record.size, record.unsaved]).toEqual([3, 2]);
    record.empty(photo);
    record.add(photo, [face(0, 0)]);
    expect([record.size, record.unsaved]).toEqual([2, 1]);
    record.markSaved();
    expect(record.unsaved).toBe(0);
    expect(record.begin("a.jpg").name).toBe("a.jpg (2)");
  });

  it("keeps what was known of a video until all is known again", () => {
    const record = new FaceLog();
    const before = record.begin("a.mp4");
    record.add(before, [face(1, 0), face(1, 33)]);
    record.add(record.begin("b.jpg"), [face(0, 0)]);
    record.markSaved();
    const again = record.begin("a.mp4");
    record.add(again, [face(1, 0)]);
    expect(record.sources.map(({ name, rows }) => [name, rows.length])).toEqual([
      ["a.mp4", 2],
      ["b.jpg", 1],
      ["a.mp4 (2)", 1],
    ]);
    record.replace(before, again);
    expect(record.sources.map(({ name, rows }) => [name, rows.length])).toEqual([
      ["a.mp4", 1],
      ["b.jpg", 1],
    ]);
    // What was saved is the old one.
    expect(record.unsaved).toBe(1);
  });

  it("drops its oldest rows when it is full, and says so", () => {
    const record = new FaceLog(1000);
    const source = record.begin("camera");
    for (let i = 0; i < 899; i++) record.add(source, [face(1, i)]);
    expect(record.isFull).toBe(false);
    for (let i = 899; i <= 1000; i++) record.add(source, [face(1, i)]);
    expect(record.isFull).toBe(true);
    expect(source.rows.at(-1)!.timestamp_ms).toBe(1000);
    expect(source.rows[0]!.timestamp_ms).toBe(100);
  });

  it("is full with the rows of all its sources, the oldest of which make room", () => {
    const record = new FaceLog(100);
    const sources = Array.from({ length: 10 }, (_, i) => record.begin(`${i}.mp4`));
    const frames = (count: number) => Array.from({ length: count }, (_, i) => face(1, i));
    for (const source of sources.slice(0, 9)) record.add(source, frames(11));
    record.markSaved();
    const last = sources[9]!;
    record.add(last, frames(11));
    expect(record.isFull).toBe(true);
    expect(sources.map(({ rows }) => rows.length)).toEqual([1, ...Array<number>(9).fill(11)]);
    expect(sources[0]!.rows[0]!.timestamp_ms).toBe(10);
    expect(record.unsaved).toBe(11);
    // What alone is more than there is room for keeps its newest rows.
    record.add(last, frames(150));
    expect([record.size, last.rows.length, record.unsaved]).toEqual([100, 100, 100]);
    expect(last.rows[0]!.timestamp_ms).toBe(50);
  });

  it("finds the rows of a time", () => {
    const rows = [face(1, 0), face(2, 0), face(1, 33), face(1, 66), face(2, 66)];
    expect(rowsBetween(rows, 1, 10, 66)).toEqual([rows[2], rows[3]]);
    expect(facesAt(rows, 70, 50)).toEqual([rows[3], rows[4]]);
    expect(facesAt(rows, 40, 50)).toEqual([rows[2]]);
    expect(facesAt(rows, 500, 50)).toEqual([]);
  });

  it("has gaps that begin and end", () => {
    const source = new FaceLog().begin("camera");
    beginGap(source, "connection", 1000);
    beginGap(source, "connection", 2000);
    beginGap(source, "hidden", 3000);
    endGap(source, 5000);
    endGap(source, 6000);
    expect(source.gaps).toEqual([
      { reason: "connection", startMs: 1000, endMs: 3000 },
      { reason: "hidden", startMs: 3000, endMs: 5000 },
    ]);
  });
});

describe("the table", () => {
  it("quotes what would break it, and runs no formulas", () => {
    const record = new FaceLog();
    const names = ['a "b", c.jpg', "=1+1.jpg", "two\r\nlines.jpg"];
    for (const name of names) record.add(record.begin(name), [face(0, 0)]);
    const [header, one, other, third, ...rest] = toCsv(record.sources, ["happy", "sad"]).split("\n");
    expect(header).toMatch(/^frame,timestamp_ms,track_id,.*,happy,sad,uncertain,.*source$/);
    expect(one).toMatch(/,"a ""b"", c\.jpg"$/);
    expect(other).toMatch(/,'=1\+1\.jpg$/);
    expect(third).toMatch(/,"two {2}lines\.jpg"$/);
    expect(rest).toEqual([""]);
  });
});

describe("the table of another network", () => {
  it("has columns for labels that are called as its own, with all digits", () => {
    const record = new FaceLog();
    const shares = { x: 0.123456, kind: 0.876544 };
    record.add(record.begin("camera"), [{ ...face(1, 0), shares, temporal_sha256: "ab12", whole: shares }]);
    const [header, row] = toCsv(record.sources, ["x", "kind"]).split("\n");
    expect(header).toMatch(/,confidence,label_x,label_kind,uncertain,/);
    expect(header).toMatch(/,whole_label_x,whole_label_kind,temporal_sha256,source$/);
    expect(row).toMatch(/,0\.123456,0\.876544,ab12,camera$/);
  });
});

describe("the table of a temporal network", () => {
  it("ends with what each person showed so far; rows that were smoothed leave it empty", () => {
    const record = new FaceLog();
    const calmed = { ...face(1, 0), temporal_sha256: "ab12", whole: { happy: 0.75, sad: 0.25 } };
    record.add(record.begin("camera"), [face(1, 0), calmed]);
    const [header, smoothed, over] = toCsv(record.sources, ["happy", "sad"]).split("\n");
    expect(header).toMatch(/,roll_degrees,whole_happy,whole_sad,temporal_sha256,source$/);
    expect(smoothed).toMatch(/,,,,camera$/);
    expect(over).toMatch(/,0\.75,0\.25,ab12,camera$/);
  });
});

describe("the chart", () => {
  it("grows from the left until a minute is full", () => {
    expect(liveSpan(0, 5000)).toEqual({ fromMs: 0, toMs: 60_000 });
    expect(liveSpan(0, 90_000)).toEqual({ fromMs: 30_000, toMs: 90_000 });
  });
});
