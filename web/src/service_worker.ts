// Serves the page from the browser's storage, so that it works without a connection.
//
// It keeps the page's own files and nothing else: no picture, no answer of the API. The networks are
// kept by the page itself (api.ts).

export {};

// The build puts the lists here: what is fetched at once, and everything that there is but the page
// itself. It also ends this script with a hash of what changes without changing its name.
declare const __PRECACHED__: readonly string[];
declare const __ALL__: readonly string[];

const FILES = "mien-files";
const NEXT = `${FILES}-next`;
const ANSWER_MS = 20_000;
const PRECACHED = __PRECACHED__;
const ALL = __ALL__;

const worker = self as unknown as ServiceWorkerGlobalScope;
const scope = new URL("./", location.href);
const addressOf = (file: string) => new URL(file, scope).href;

worker.addEventListener("install", (event) => event.waitUntil(fetchAll()));
worker.addEventListener("activate", (event) => event.waitUntil(takeOver()));
worker.addEventListener("message", (event) => {
  if (event.data === "take-over") void worker.skipWaiting();
});
worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const isOurs = request.url === scope.href || ALL.some((file) => addressOf(file) === request.url);
  if (request.method === "GET" && isOurs) event.respondWith(answer(request));
});

async function fetchAll(): Promise<void> {
  const files = await caches.open(NEXT);
  // The HTTP cache may hold an older page under the same address.
  await files.addAll(PRECACHED.map((file) => new Request(addressOf(file), { cache: "no-cache" })));
}

async function takeOver(): Promise<void> {
  try {
    await replaceFiles();
  } catch (error) {
    console.warn("No files of the page are kept:", error);
    // Of two pages that are mixed, none would work: all comes from the server.
    for (const name of [FILES, NEXT]) await caches.delete(name).catch(() => false);
  }
  await worker.clients.claim();
}

async function replaceFiles(): Promise<void> {
  const [next, files] = [await caches.open(NEXT), await caches.open(FILES)];
  for (const request of await next.keys()) await files.put(request, (await next.match(request))!);
  await caches.delete(NEXT);
  // Only there do names change with their content: elsewhere, what was kept before may be an older one.
  const sameAsBefore = ALL.filter((file) => file.startsWith("assets/"));
  const current = new Set([...PRECACHED, ...sameAsBefore].map(addressOf));
  for (const request of await files.keys()) {
    if (!current.has(request.url)) await files.delete(request);
  }
}

/** From what is kept, else from the server, whether or not the browser's storage has room for it. */
async function answer(request: Request): Promise<Response> {
  const files = await caches.open(FILES).catch(() => null);
  const kept = await files?.match(request.url).catch(() => undefined);
  if (kept) return isolated(kept);
  const response = await fetchInTime(request);
  if (response.status === 200) {
    await files?.put(request.url, response.clone()).catch((error: unknown) => {
      console.warn(`${request.url} could not be kept:`, error);
    });
  }
  return isolated(response);
}

/** A server may take a connection and say nothing: the page would hang on a file. */
async function fetchInTime(request: Request): Promise<Response> {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), ANSWER_MS);
  try {
    return await fetch(request, { signal: ending.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** Gives the page the memory that threads share, where the web server does not. */
function isolated(response: Response): Response {
  if (response.headers.has("Cross-Origin-Embedder-Policy") || response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
