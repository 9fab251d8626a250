// Who is who, from frame to frame, by where the boxes are.
//
// The page detects faces in every frame that it recognises, so it needs no optical flow to carry
// boxes in between, as mien.faces.track does; a face that comes back after a while gets a new number.

import type { Box } from "./crop";
import { overlap } from "./yunet";

const LOST_MS = 1500;
const NEAREST = 1.0; // Centres may lie so many face sizes apart at most.
const MEMORY = 0.7; // Weight of a track's mean velocity against the newest one.

interface Track {
  readonly id: number;
  box: Box;
  velocityX: number;
  velocityY: number;
  seenMs: number;
}

/** Gives faces the numbers of the tracks that they continue. */
export class Tracker {
  #tracks: Track[] = [];
  #next = 1;

  /** Returns the number of each box. */
  update(boxes: readonly Box[], nowMs: number): number[] {
    this.#tracks = this.#tracks.filter((track) => nowMs - track.seenMs <= LOST_MS);
    const pairs: { score: number; track: Track; index: number }[] = [];
    for (const track of this.#tracks) {
      boxes.forEach((box, index) => {
        const score = nearness(expected(track, nowMs), box);
        if (score > 0) pairs.push({ score, track, index });
      });
    }
    pairs.sort((a, b) => b.score - a.score);
    const ids = new Array<number>(boxes.length).fill(0);
    const taken = new Set<Track>();
    for (const { track, index } of pairs) {
      if (ids[index] !== 0 || taken.has(track)) continue;
      ids[index] = track.id;
      taken.add(track);
      renew(track, boxes[index]!, nowMs);
    }
    boxes.forEach((box, index) => {
      if (ids[index] === 0) ids[index] = this.#begin(box, nowMs);
    });
    return ids;
  }

  /** The numbers that may still continue. */
  get ids(): ReadonlySet<number> {
    return new Set(this.#tracks.map((track) => track.id));
  }

  #begin(box: Box, nowMs: number): number {
    const id = this.#next++;
    this.#tracks.push({ id, box, velocityX: 0, velocityY: 0, seenMs: nowMs });
    return id;
  }
}

function renew(track: Track, box: Box, nowMs: number): void {
  const elapsed = nowMs - track.seenMs;
  if (elapsed > 0) {
    const [oldX, oldY] = centre(track.box);
    const [x, y] = centre(box);
    track.velocityX = MEMORY * track.velocityX + ((1 - MEMORY) * (x - oldX)) / elapsed;
    track.velocityY = MEMORY * track.velocityY + ((1 - MEMORY) * (y - oldY)) / elapsed;
  }
  track.box = box;
  track.seenMs = nowMs;
}

function expected(track: Track, nowMs: number): Box {
  const elapsed = nowMs - track.seenMs;
  return {
    ...track.box,
    x: track.box.x + track.velocityX * elapsed,
    y: track.box.y + track.velocityY * elapsed,
  };
}

/** How well a box continues a track: above 1 where they overlap, 0 where it cannot. */
function nearness(a: Box, b: Box): number {
  const shared = overlap(a, b);
  if (shared > 0.1) return 1 + shared;
  const [ax, ay] = centre(a);
  const [bx, by] = centre(b);
  const size = Math.sqrt(Math.max(a.width * a.height, b.width * b.height));
  const ratio = Math.min(a.width, b.width) / Math.max(a.width, b.width);
  return ratio < 0.6 ? 0 : Math.max(NEAREST - Math.hypot(ax - bx, ay - by) / size, 0);
}

function centre(box: Box): [number, number] {
  return [box.x + box.width / 2, box.y + box.height / 2];
}
