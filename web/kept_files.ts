// What the build tells the service worker: which files there are, and that one of them has changed.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const WORKER = "service_worker.js";
const PAGE = "index.html";
// The page itself is known by its folder; the others are no part of it.
const NOT_BY_NAME: ReadonlySet<string> = new Set([PAGE, "docs.html", WORKER]);
// Of these a browser needs one or none: they are kept when they are first used.
const NOT_AT_ONCE = /ort-wasm|\.mp4$|^assets\/docs|^licenses\.txt$/;
const CHANGES_ITS_NAME = /^assets\//;

/**
 * Writes the lists into the service worker of a built page.
 *
 * A browser takes it for a newer one only where its bytes differ: so it ends with a hash of the files
 * that keep their names when they change.
 */
export function tellServiceWorker(folder: string): void {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();
  const byName = files.filter((name) => !NOT_BY_NAME.has(name));
  const atOnce = ["./", ...byName.filter((name) => !NOT_AT_ONCE.test(name))];
  const contents = createHash("sha256");
  for (const name of [PAGE, ...byName.filter((name) => !CHANGES_ITS_NAME.test(name))]) {
    const content = readFileSync(join(folder, name));
    contents.update(`${name} ${content.length}\n`).update(content);
  }
  const script = readFileSync(join(folder, WORKER), "utf8")
    .replaceAll("__PRECACHED__", () => JSON.stringify(atOnce))
    .replaceAll("__ALL__", () => JSON.stringify(byName));
  writeFileSync(join(folder, WORKER), `${script}\n// ${contents.digest("hex")}\n`);
}
