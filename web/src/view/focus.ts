// Where the keyboard is, when what it was on goes away.

/** Moves the keyboard from an element that is not there any more to the first control that is. */
export function keepFocus(focused: Element | null, controls: readonly HTMLElement[]): void {
  if (!focused || isThere(focused)) return;
  controls.find(isThere)?.focus();
}

function isThere(element: Element): boolean {
  return element.isConnected && !element.closest("[hidden]");
}
