// A video file, frame by frame: every frame, none twice.
//
// WebCodecs decodes where the browser has it for this codec; elsewhere the browser's player is set to
// the time of each frame in turn. When which frame is shown stands in the file.

import type { InputVideoTrack } from "mediabunny";
import { type Picture, UserError } from "../types";
import { seek } from "./player";

/** A video whose frames can be gone through. */
export interface Clip {
  readonly frameCount: number;
  readonly durationMs: number;
  /** All frames, in the order of time; whoever takes one closes it. */
  frames(): AsyncGenerator<{ picture: Picture; timestampMs: number }>;
  close(): void;
}

/**
 * Opens a video.
 *
 * @param player shows it where the browser has no WebCodecs for it; null where it cannot.
 */
export async function openClip(
  file: File,
  player: HTMLVideoElement | null,
  signal: AbortSignal,
): Promise<Clip> {
  const { ALL_FORMATS, BlobSource, Input } = await import("mediabunny");
  const input = new Input({ formats: ALL_FORMATS, source: new BlobSource(file) });
  try {
    const track = await input.getPrimaryVideoTrack();
    if (!track) throw unreadable("It has no pictures.");
    const times = await frameTimesMs(track);
    const durationMs = (await track.computeDuration()) * 1000 - (times[0] ?? 0);
    const isDecoded = await canDecode(track);
    if (!isDecoded && !player) throw unreadable("It cannot decode it.");
    const frames = () =>
      inWords(isDecoded ? decoded(track) : stepped(player!, times, durationMs, signal));
    return { frameCount: times.length, durationMs, frames, close: () => input.dispose() };
  } catch (error) {
    input.dispose();
    throw error instanceof UserError ? error : unreadable("");
  }
}

/** Frames whose failing is worded for people. */
async function* inWords(frames: ReturnType<Clip["frames"]>): ReturnType<Clip["frames"]> {
  try {
    yield* frames;
  } catch (error) {
    console.warn("A video broke off:", error);
    throw unreadable("From some frame on, it cannot decode it.");
  }
}

async function canDecode(track: InputVideoTrack): Promise<boolean> {
  return typeof VideoDecoder === "function" && (await track.canDecode());
}

async function frameTimesMs(track: InputVideoTrack): Promise<number[]> {
  const { EncodedPacketSink } = await import("mediabunny");
  const times: number[] = [];
  const options = { metadataOnly: true };
  for await (const packet of new EncodedPacketSink(track).packets(undefined, undefined, options)) {
    // Packets before 0 are there to be decoded, not to be shown.
    if (packet.timestamp + packet.duration > 0) times.push(packet.timestamp * 1000);
  }
  return times.sort((a, b) => a - b);
}

async function* decoded(track: InputVideoTrack): ReturnType<Clip["frames"]> {
  const { VideoSampleSink } = await import("mediabunny");
  const { rotation } = track;
  let firstMs: number | null = null;
  for await (const sample of new VideoSampleSink(track).samples()) {
    firstMs ??= sample.timestamp * 1000;
    const timestampMs = sample.timestamp * 1000 - firstMs;
    let picture: Picture;
    if (rotation === 0) {
      picture = sample.toVideoFrame();
    } else {
      const canvas = new OffscreenCanvas(sample.displayWidth, sample.displayHeight);
      sample.draw(canvas.getContext("2d", { alpha: false })!, 0, 0);
      picture = canvas.transferToImageBitmap();
    }
    sample.close();
    yield { picture, timestampMs };
  }
}

async function* stepped(
  player: HTMLVideoElement,
  times: readonly number[],
  durationMs: number,
  signal: AbortSignal,
): ReturnType<Clip["frames"]> {
  const firstMs = times[0] ?? 0;
  for (const [i, timeMs] of times.entries()) {
    const nextMs = times[i + 1] ?? firstMs + durationMs;
    // In the middle of a frame's time, rounding cannot show its neighbour.
    await seek(player, (timeMs + nextMs) / 2000, signal);
    yield { picture: await createImageBitmap(player), timestampMs: timeMs - firstMs };
  }
}

function unreadable(detail: string): UserError {
  return new UserError(
    "The browser cannot read this video.",
    `${detail} Open an MP4 (H.264) or WebM video, or let the server read it.`.trim(),
    ["use-server", "open-file"],
  );
}
