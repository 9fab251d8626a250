// Letting the browser save a file.

export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A file name with the time of day: mien-2026-01-31-14-05-09.csv. */
export function fileName(suffix: string): string {
  const now = new Date();
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  return `mien-${local.toISOString().slice(0, 19).replace(/[T:]/g, "-")}.${suffix}`;
}
