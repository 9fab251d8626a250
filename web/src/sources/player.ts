// What the browser's player says of a video, where it says anything.

// A player may say nothing at all: of a file that it cannot make sense of, or while it is stuck.
const PATIENCE_TICKS = 20;
const TICK_MS = 1000;

/** The player failed, or said nothing for long. */
export class PlayerFailed extends Error {}

/** Waits until a player says that something has come. */
function comes(player: HTMLVideoElement, event: string, signal: AbortSignal): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const ended = new AbortController();
    const end = (settle: () => void) => {
      ended.abort();
      clearInterval(timer);
      settle();
    };
    const fail = () => end(() => reject(new PlayerFailed(player.error?.message)));
    const stop = () => end(() => reject(signal.reason as Error));
    const once = { once: true, signal: ended.signal };
    // While nobody looks, and while the computer sleeps, a player may take its time.
    let ticks = 0;
    const timer = setInterval(() => {
      if (!document.hidden && ++ticks === PATIENCE_TICKS) fail();
    }, TICK_MS);
    player.addEventListener(event, () => end(resolve), once);
    player.addEventListener("error", fail, once);
    signal.addEventListener("abort", stop, once);
    // What was said before is not said again.
    if (signal.aborted) stop();
    else if (player.error) fail();
  });
}

/** Whether a player shows the video that it was just given. */
export async function canPlay(player: HTMLVideoElement, signal: AbortSignal): Promise<boolean> {
  try {
    await comes(player, "loadeddata", signal);
  } catch (error) {
    if (error instanceof PlayerFailed) return false;
    throw error;
  }
  // Of a video whose pictures it cannot decode, it may play the sound.
  return player.videoWidth > 0;
}

/** Lets a player show what it shows at a time, in seconds. */
export function seek(player: HTMLVideoElement, time: number, signal: AbortSignal): Promise<void> {
  const shown = comes(player, "seeked", signal);
  player.currentTime = time;
  return shown;
}
