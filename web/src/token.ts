// The dialogue that asks for the server's token. It is kept in memory only.

export function askToken(wasWrong: boolean): Promise<string | null> {
  const template = document.querySelector<HTMLTemplateElement>("#token-template")!;
  document.body.append(template.content.cloneNode(true));
  const dialog = document.querySelector<HTMLDialogElement>("#token")!;
  const input = dialog.querySelector<HTMLInputElement>("#token-value")!;
  dialog.querySelector("#token-hint")!.textContent = wasWrong
    ? "The server does not know that token."
    : "Whoever runs it has one for you.";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      resolve(dialog.returnValue === "ok" && input.value ? input.value : null);
      dialog.remove();
    };
  });
}
