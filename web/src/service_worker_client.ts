// Lets the page work without a connection, and says when a newer one is ready.

/** Where the service worker keeps the page's files, by their address. */
export const FILES = "mien-files";

/** Keeps files that were loaded before the service worker was there. */
export async function keepFiles(urls: readonly string[]): Promise<void> {
  if (!navigator.serviceWorker || !import.meta.env.PROD) return;
  try {
    await navigator.serviceWorker.ready;
    await (await caches.open(FILES)).addAll([...urls]);
  } catch (error) {
    console.warn("Not kept for times without a connection:", error);
  }
}

/** Registers the service worker; `hint` is shown when a newer page waits, `reload` loads it. */
export function keepUpToDate(hint: HTMLElement, reload: HTMLButtonElement): void {
  const workers = navigator.serviceWorker;
  if (!workers || !import.meta.env.PROD) return;
  let isWanted = false;
  reload.onclick = async () => {
    isWanted = true;
    const registration = await workers.getRegistration();
    registration?.waiting?.postMessage("take-over");
  };
  workers.addEventListener("controllerchange", () => {
    if (isWanted) location.reload();
  });
  workers
    .register(new URL("service_worker.js", document.baseURI))
    .then((registration) => {
      const tell = () => (hint.hidden = !registration.waiting || !workers.controller);
      tell();
      registration.addEventListener("updatefound", () =>
        registration.installing?.addEventListener("statechange", tell),
      );
    })
    // Private windows may refuse it: the page works all the same while there is a connection.
    .catch((error: unknown) => console.warn("No service worker:", error));
}
