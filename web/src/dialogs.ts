// Questions to the user.

/** Asks for the server's token, which is kept in memory only; null if there is none. */
export async function askToken(why: string): Promise<string | null> {
  const dialog = dialogOf("token");
  const input = dialog.querySelector<HTMLInputElement>("#token-value")!;
  dialog.querySelector("#token-hint")!.textContent = why;
  const answer = await answerOf(dialog);
  return answer === "ok" ? input.value : null;
}

/** Asks whether to do something; true for yes. */
export async function askWhether(question: string, yes: string): Promise<boolean> {
  const dialog = dialogOf("question");
  dialog.querySelector("#question-text")!.textContent = question;
  dialog.querySelector("#question-yes")!.textContent = yes;
  return (await answerOf(dialog)) === "ok";
}

function dialogOf(name: string): HTMLDialogElement {
  const template = document.querySelector<HTMLTemplateElement>(`#${name}-template`)!;
  document.body.append(template.content.cloneNode(true));
  return document.querySelector<HTMLDialogElement>(`#${name}`)!;
}

function answerOf(dialog: HTMLDialogElement): Promise<string> {
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      resolve(dialog.returnValue);
      dialog.remove();
    };
  });
}
