// Who is who, and where, from frame to frame: what mien.faces.track does in Python.
//
// Detection is the dearest step, so it runs on some frames only. In between, the faces are carried
// along with the picture. A track is *visible* (its face is shown), *lost* (hidden or missed: its
// place is guessed) or *gone* (only a face that looks very much alike gets its number back).

import type { Box } from "./crop";
import { follow, type Grey, pyramidOf } from "./flow";
import { type Look, likeness, lookAt, mixed } from "./look";
import type { Detection } from "./yunet";
import { overlap, sharedArea } from "./yunet";

const KEEP_MS = 500;
const MOMENT_MS = 300;
const LOST_MS = 2500;
const RETURN_MS = 30_000;
const NEW_MS = 700;
const REMEMBERED = 64;
const VELOCITY_MS = 400;

const GRID = 5;
const GRID_SPAN = 0.7;
const LEAST_POINTS = 12;

const LOOK_MEMORY = 0.8;
const NEAR_OVERLAP = 0.2;
const NEAR_LIKENESS = 0.3;
const GUESSED_LIKENESS = 0.1;
const RETURN_LIKENESS = 0.55;
const HIDDEN_PART = 0.4;
// A box this close to the frame's edge, in parts of its side, is cut by it: half a face looks like
// nobody.
const EDGE = 0.02;

const THUMBNAIL = { width: 32, height: 18 };
const CUT_CORRELATION = 0.5;

/** A face in one frame, and whose it is. */
export interface TrackedFace {
  readonly id: number;
  readonly face: Detection;
  /** False if it was carried here. */
  readonly detected: boolean;
}

class Track {
  velocityX = 0;
  velocityY = 0;
  seen: Detection;
  seenMs: number;
  detected = true;
  visible = true;
  /** Its place is known or can be guessed from its motion. */
  placed = true;
  /** The picture's motion around it was measured in this frame. */
  followed = true;
  /** Its number was given out. */
  isShown = false;

  constructor(
    public id: number,
    public face: Detection,
    public look: Look,
    public begunMs: number,
    public isWhole: boolean,
  ) {
    this.seen = face;
    this.seenMs = begunMs;
  }

  move(shiftX: number, shiftY: number, scale = 1): void {
    this.face = moved(this.face, shiftX, shiftY, scale);
  }

  renew(face: Detection, look: Look | null, nowMs: number): void {
    const elapsedMs = nowMs - this.seenMs;
    if (this.visible && elapsedMs > 0) {
      const trust = -Math.expm1(-elapsedMs / VELOCITY_MS);
      const [x, y] = centre(face.box);
      const [seenX, seenY] = centre(this.seen.box);
      this.velocityX += trust * ((x - seenX) / elapsedMs - this.velocityX);
      this.velocityY += trust * ((y - seenY) / elapsedMs - this.velocityY);
    } else if (!this.visible) {
      this.velocityX = this.velocityY = 0;
    }
    if (look) this.look = this.isWhole ? mixed(this.look, look, LOOK_MEMORY) : look;
    if (look) this.isWhole = true;
    this.face = this.seen = face;
    this.seenMs = nowMs;
    this.detected = this.visible = this.placed = true;
  }

  hide(nowMs: number): void {
    this.face = this.seen;
    this.move(this.velocityX * (nowMs - this.seenMs), this.velocityY * (nowMs - this.seenMs));
    this.visible = false;
  }
}

/** Follows any number of faces through one video. */
export class FaceTracker {
  #tracks: Track[] = [];
  #nextId = 1;
  #nowMs = 0;
  #pyramid: Grey[] = [];
  #thumbnail: Float32Array = new Float32Array(0);
  #scale = 1;

  /**
   * Moves every known face to where the picture moved it. `grey` is the next frame, made smaller
   * by `scale`. False if a visible face could not be followed, or another shot began: then a
   * detection is called for.
   */
  carry(grey: Grey, scale: number, nowMs: number): boolean {
    const [before, thumbnailBefore, scaleBefore] = [this.#pyramid, this.#thumbnail, this.#scale];
    this.#pyramid = pyramidOf(grey);
    this.#thumbnail = thumbnailOf(grey);
    this.#scale = scale;
    // Frames of two sizes may be made smaller to one; boxes are in pixels of the frame.
    const isSameSize =
      scaleBefore === scale && before[0]?.width === grey.width && before[0].height === grey.height;
    const isSameShot = isSameSize && !isCut(thumbnailBefore, this.#thumbnail);
    const elapsedMs = Math.max(nowMs - this.#nowMs, 0);
    this.#nowMs = nowMs;
    for (const track of this.#tracks) {
      track.detected = track.followed = false;
      if (!isSameShot) track.visible = track.placed = false;
    }
    const visible = this.#tracks.filter((track) => track.visible);
    for (const track of visible) track.followed = this.#follow(track, before);
    for (const track of this.#tracks) {
      if (track.placed && !track.followed) {
        track.move(track.velocityX * elapsedMs, track.velocityY * elapsedMs);
      }
    }
    this.#retire();
    return isSameShot && visible.every((track) => track.followed);
  }

  /**
   * Matches what a detector found in the frame last carried to, and starts new tracks. Faces below
   * `newFromScore` start none, but confirm one that is there (ByteTrack, Zhang et al. 2022).
   */
  correct(faces: readonly Detection[], newFromScore = 0): void {
    const looks = faces.map((face) => this.#look(face));
    const strangers = this.#match(faces, looks);
    this.#hideCovered();
    for (const i of strangers) {
      if (faces[i]!.score < newFromScore) continue;
      this.#begin(faces[i]!, !this.#isCut(faces[i]!.box));
    }
    this.#recogniseReturned();
    this.#retire();
    this.#show();
  }

  /**
   * Adds what was found in a part of the frame: its edge may cut faces, so that it says nothing of
   * those that are known.
   */
  add(faces: readonly Detection[]): void {
    const known = this.#tracks.filter((track) => track.visible).map((track) => track.face.box);
    const isKnown = ({ box }: Detection) => known.some((other) => sharedArea(box, other) > 0);
    for (const face of faces) if (!isKnown(face)) this.#begin(face, false);
    this.#recogniseReturned();
    this.#show();
  }

  /**
   * The faces that are visible in the frame last carried to, by their number. One that comes in at
   * the frame's edge while others are remembered is left out until it is seen whole, for it may be
   * one of these; but not for longer than `NEW_MS`.
   */
  faces(): TrackedFace[] {
    return this.#tracks
      .filter((track) => track.visible && track.isShown)
      .sort((a, b) => a.id - b.id)
      .map(({ id, face, detected }) => ({ id, face, detected }));
  }

  /** Whether a face is hidden that may come back where its motion leads. */
  expectsMore(): boolean {
    return this.#tracks.some((track) => track.placed && !track.visible);
  }

  #look({ box }: Detection): Look {
    return lookAt(this.#pyramid[0]!, box, this.#scale);
  }

  #begin(face: Detection, isWhole: boolean): void {
    this.#tracks.push(new Track(this.#nextId++, face, this.#look(face), this.#nowMs, isWhole));
  }

  #follow(track: Track, before: Grey[]): boolean {
    const starts = gridOf(track.face.box, this.#scale);
    const { ends, good } = follow(before, this.#pyramid, starts);
    const kept = [...good.keys()].filter((n) => good[n]);
    if (kept.length < LEAST_POINTS) return false;
    const { middleX, middleY, shiftX, shiftY, scale } = motionOf(starts, ends, kept);
    const [x, y] = centre(track.face.box);
    // The shift is that of the points' middle; the box's centre grows away from it.
    track.move(
      (shiftX + (x * this.#scale - middleX) * (scale - 1)) / this.#scale,
      (shiftY + (y * this.#scale - middleY) * (scale - 1)) / this.#scale,
      scale,
    );
    return true;
  }

  /** Renews the tracks that fit one of the faces; returns the indices of the other faces. */
  #match(faces: readonly Detection[], looks: readonly Look[]): number[] {
    let left = [...faces.keys()];
    // Tracks that the picture's motion leads to a face go before those whose place is guessed:
    // else one that is hidden takes the face before it (a cascade, as in Wojke et al. 2017).
    for (const isFollowed of [true, false]) {
      const tracks = this.#tracks.filter(
        (track) => track.placed && (track.followed && track.visible) === isFollowed,
      );
      const pairs = pair(tracks, left, (track, i) =>
        nearness(track, faces[i]!, looks[i]!, this.#nowMs),
      );
      for (const [track, i] of pairs) {
        const isClear = this.#isClear(faces[i]!.box, faces);
        track.renew(faces[i]!, isClear ? looks[i]! : null, this.#nowMs);
      }
      const taken = new Set(pairs.map(([, i]) => i));
      left = left.filter((i) => !taken.has(i));
    }
    return left;
  }

  /** Gives faces that are new their old number if they look like one that is not visible. */
  #recogniseReturned(): void {
    const hidden = this.#tracks.filter((track) => !track.visible);
    const fresh = this.#tracks.filter(
      (track) => track.detected && this.#nowMs - track.begunMs <= NEW_MS,
    );
    const alike = (old: Track, track: Track) => {
      const value = likeness(old.look, track.look);
      return value >= RETURN_LIKENESS ? value : 0;
    };
    for (const [old, track] of pair(hidden, fresh, alike)) {
      track.id = old.id;
      track.begunMs = old.begunMs;
      track.look = mixed(old.look, track.look, 0.5);
      this.#tracks = this.#tracks.filter((other) => other !== old);
    }
  }

  /** Whether a face is seen whole: neither the frame nor another face cuts it. */
  #isClear(box: Box, faces: readonly Detection[]): boolean {
    return !this.#isCut(box) && !faces.some((face) => face.box !== box && sharedArea(box, face.box) > 0);
  }

  /** Whether a face reaches the frame's edge, or beyond. */
  #isCut({ x, y, width, height }: Box): boolean {
    const size = this.#size;
    const [across, along] = [EDGE * width, EDGE * height];
    return (
      x <= across || y <= along || x + width >= size.width - across || y + height >= size.height - along
    );
  }

  /** Gives out the numbers of new faces that cannot be those of old ones any more. */
  #show(): void {
    const nobodyLeft = this.#tracks.every((track) => track.visible);
    for (const track of this.#tracks) {
      const isNew = this.#nowMs - track.begunMs <= NEW_MS;
      if (track.visible && (nobodyLeft || track.isWhole || !isNew)) track.isShown = true;
    }
  }

  /** Takes away the faces that were not found and cannot be followed or are behind another. */
  #hideCovered(): void {
    const found = this.#tracks.filter((track) => track.detected).map((track) => track.face.box);
    for (const track of this.#tracks) {
      if (!track.visible || track.detected) continue;
      const { box } = track.face;
      const isBehind = found.some(
        (other) => sharedArea(box, other) > HIDDEN_PART * Math.min(areaOf(box), areaOf(other)),
      );
      if (!track.followed || isBehind) track.hide(this.#nowMs);
    }
  }

  /** Hides the faces that nobody confirmed for long or that left; forgets the oldest. */
  #retire(): void {
    const { width, height } = this.#size;
    for (const track of this.#tracks) {
      const [x, y] = centre(track.face.box);
      const isInside = x >= 0 && x < width && y >= 0 && y < height;
      const ageMs = this.#nowMs - track.seenMs;
      if (track.visible && (ageMs > KEEP_MS || !isInside)) track.hide(this.#nowMs);
      if (ageMs > LOST_MS) track.placed = false;
    }
    const hidden = this.#tracks
      .filter((track) => !track.visible && this.#nowMs - track.seenMs <= RETURN_MS)
      .sort((a, b) => a.seenMs - b.seenMs);
    this.#tracks = [...hidden.slice(-REMEMBERED), ...this.#tracks.filter((track) => track.visible)];
  }

  get #size(): { width: number; height: number } {
    const { width, height } = this.#pyramid[0]!;
    return { width: width / this.#scale, height: height / this.#scale };
  }
}

/** Pairs greedily, the best first; a score of 0 or less forbids a pair. */
function pair<A, B>(ones: readonly A[], others: readonly B[], score: (a: A, b: B) => number): [A, B][] {
  const scored = ones.flatMap((one) => others.map((other) => ({ one, other, score: score(one, other) })));
  scored.sort((a, b) => b.score - a.score);
  const taken = new Set<A | B>();
  const pairs: [A, B][] = [];
  for (const { one, other, score: value } of scored) {
    if (value <= 0) break;
    if (taken.has(one) || taken.has(other)) continue;
    taken.add(one).add(other);
    pairs.push([one, other]);
  }
  return pairs;
}

/** How well a face fits a track whose place is known or guessed; 0 where it cannot be. */
function nearness(track: Track, face: Detection, look: Look, nowMs: number): number {
  const alike = likeness(track.look, look);
  const shared = overlap(track.face.box, face.box);
  if (track.followed && track.visible) {
    return shared >= NEAR_OVERLAP ? shared + 0.3 * Math.max(alike, 0) : 0;
  }
  // Who stood there a moment ago is still there, though the frame's edge may cut the face by now.
  if (shared >= NEAR_OVERLAP && nowMs - track.seenMs <= MOMENT_MS) return 1 + shared;
  if (alike < (track.visible ? NEAR_LIKENESS : GUESSED_LIKENESS)) return 0;
  const [one, other] = [areaOf(track.face.box), areaOf(face.box)];
  if (Math.min(one, other) <= 0.3 * Math.max(one, other)) return 0;
  const [x, y] = centre(track.face.box);
  const [faceX, faceY] = centre(face.box);
  const distance = Math.hypot(x - faceX, y - faceY) / Math.sqrt(Math.max(one, other));
  return Math.max(0, 1 - distance / 1.5) * (0.5 + alike);
}

/** Points spread over the middle of a box, in the smaller picture's pixels. */
function gridOf(box: Box, scale: number): Float32Array {
  const [x, y] = centre(box);
  const points = new Float32Array(2 * GRID * GRID);
  for (let row = 0, at = 0; row < GRID; row++) {
    for (let column = 0; column < GRID; column++) {
      points[at++] = (x + GRID_SPAN * box.width * (column / (GRID - 1) - 0.5)) * scale;
      points[at++] = (y + GRID_SPAN * box.height * (row / (GRID - 1) - 0.5)) * scale;
    }
  }
  return points;
}

/** The middle of the points, its shift, and by how much they spread, against outliers. */
function motionOf(starts: Float32Array, ends: Float32Array, kept: readonly number[]) {
  const middleX = median(kept.map((n) => starts[2 * n]!));
  const middleY = median(kept.map((n) => starts[2 * n + 1]!));
  const endX = median(kept.map((n) => ends[2 * n]!));
  const endY = median(kept.map((n) => ends[2 * n + 1]!));
  const spread = kept.map((n) => Math.hypot(starts[2 * n]! - middleX, starts[2 * n + 1]! - middleY));
  const endSpread = kept.map((n) => Math.hypot(ends[2 * n]! - endX, ends[2 * n + 1]! - endY));
  const half = median(spread) / 2;
  const ratios = spread.flatMap((value, i) => (value > half ? [endSpread[i]! / value] : []));
  const scale = Math.min(Math.max(median(ratios), 0.8), 1.25);
  const shiftX = median(kept.map((n) => ends[2 * n]! - starts[2 * n]!));
  const shiftY = median(kept.map((n) => ends[2 * n + 1]! - starts[2 * n + 1]!));
  return { middleX, middleY, shiftX, shiftY, scale };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 1;
}

function moved(face: Detection, shiftX: number, shiftY: number, scale: number): Detection {
  const { box } = face;
  const [x, y] = centre(box);
  const [width, height] = [box.width * scale, box.height * scale];
  const landmarks = face.landmarks.map((value, i) =>
    i % 2 === 0 ? (value - x) * scale + x + shiftX : (value - y) * scale + y + shiftY,
  );
  const place = { x: x + shiftX - width / 2, y: y + shiftY - height / 2 };
  return { ...face, box: { ...place, width, height }, landmarks };
}

/** The picture in a few pixels, their mean taken away. */
function thumbnailOf({ data, width, height }: Grey): Float32Array {
  const out = new Float32Array(THUMBNAIL.width * THUMBNAIL.height);
  for (let row = 0, at = 0; row < THUMBNAIL.height; row++) {
    const top = Math.floor((row * height) / THUMBNAIL.height);
    const bottom = Math.max(Math.floor(((row + 1) * height) / THUMBNAIL.height), top + 1);
    for (let column = 0; column < THUMBNAIL.width; column++, at++) {
      const left = Math.floor((column * width) / THUMBNAIL.width);
      const right = Math.max(Math.floor(((column + 1) * width) / THUMBNAIL.width), left + 1);
      let sum = 0;
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) sum += data[y * width + x]!;
      }
      out[at] = sum / ((bottom - top) * (right - left));
    }
  }
  const mean = out.reduce((a, b) => a + b, 0) / out.length;
  return out.map((value) => value - mean);
}

/** Whether another shot begins: a moving camera changes a thumbnail little. */
function isCut(before: Float32Array, after: Float32Array): boolean {
  // Two flat pictures are alike: the constant keeps noise on a dark lens from being a cut.
  const alike = dot(before, after) + 1000;
  return alike < CUT_CORRELATION * Math.sqrt(dot(before, before) * dot(after, after));
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function areaOf(box: Box): number {
  return box.width * box.height;
}

function centre(box: Box): [number, number] {
  return [box.x + box.width / 2, box.y + box.height / 2];
}
