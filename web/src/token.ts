// The dialogue that asks for the server's token. It is kept in memory only.

export function askToken(wasWrong: boolean): Promise<string | null> {
  const dialog = document.querySelector<HTMLDialogElement>("#token")!;
  const input = document.querySelector<HTMLInputElement>("#token-value")!;
  document.querySelector("#token-hint")!.textContent = wasWrong
    ? "The server does not know that token."
    : "Whoever runs it has one for you.";
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "ok" && input.value ? input.value : null),
      { once: true },
    );
  });
}
