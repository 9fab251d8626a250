// What there is to try: scikit-image's photograph of Eileen Collins (NASA, public domain), what
// scripts/make_demo_video.py makes of it, and the people that scripts/make_sample_pictures.py draws.

import { UserError } from "./types";
import clipUrl from "../../src/mien/assets/demo.mp4?url";
import peopleUrl from "../samples/people.jpg?url";
import photographUrl from "../samples/photograph.jpg?url";
import posterUrl from "../samples/clip.jpg?url";

const PATIENCE_MS = 20_000;

const SAMPLES: Readonly<Record<string, { url: string; poster: string; type: string }>> = {
  photograph: { url: photographUrl, poster: photographUrl, type: "image/jpeg" },
  people: { url: peopleUrl, poster: peopleUrl, type: "image/jpeg" },
  clip: { url: clipUrl, poster: posterUrl, type: "video/mp4" },
};

/** Shows what there is to try. */
export function showSamples(choose: (name: string) => void): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-sample]")) {
    const name = button.dataset["sample"]!;
    button.querySelector("img")!.src = SAMPLES[name]!.poster;
    button.onclick = () => choose(name);
  }
}

export async function openSample(name: string): Promise<File> {
  const { url, type } = SAMPLES[name]!;
  const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => null);
  if (!response?.ok) throw new UserError("The sample does not come.", "Is the server still running?");
  return new File([await response.blob()], `${name}.${type.split("/")[1]}`, { type });
}
