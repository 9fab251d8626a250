// The server's HTTP API: its errors as UserError, its token from the user.

import { type ModelInfo, UserError } from "./types";

/** Asks the user for the server's token; null if they do not give one. */
export type AskToken = (wasWrong: boolean) => Promise<string | null>;

/** Calls the API, and asks for the token when the server wants one. */
export class Api {
  #token: string | null = null;

  constructor(private readonly askToken: AskToken) {}

  async model(): Promise<ModelInfo> {
    return (await this.#fetch("/v1/model")).json();
  }

  async bytes(url: string): Promise<ArrayBuffer> {
    return (await this.#fetch(url)).arrayBuffer();
  }

  async postForm<Answer>(url: string, form: FormData): Promise<Answer> {
    return (await this.#fetch(url, { method: "POST", body: form })).json();
  }

  async postCsv(url: string, csv: string): Promise<Blob> {
    const headers = { "Content-Type": "text/csv" };
    return (await this.#fetch(url, { method: "POST", body: csv, headers })).blob();
  }

  /** Address of a WebSocket, with a ticket where the server wants to know who we are. */
  async socketUrl(path: string): Promise<string> {
    const url = new URL(path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (this.#token !== null) {
      const answer = await this.#fetch("/v1/tickets", { method: "POST" });
      url.searchParams.set("ticket", ((await answer.json()) as { ticket: string }).ticket);
    }
    return url.href;
  }

  async #fetch(url: string, init: RequestInit = {}): Promise<Response> {
    for (;;) {
      const headers = new Headers(init.headers);
      if (this.#token !== null) headers.set("Authorization", `Bearer ${this.#token}`);
      const response = await send(url, { ...init, headers });
      if (response.ok) return response;
      if (response.status !== 401) throw await explain(response);
      const token = await this.askToken(this.#token !== null);
      if (token === null) {
        throw new UserError("This server wants a token.", "Ask whoever runs it for one.");
      }
      this.#token = token;
    }
  }
}

async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch {
    throw new UserError("The server does not answer.", "Is it still running?");
  }
}

async function explain(response: Response): Promise<UserError> {
  const retry = response.headers.get("Retry-After");
  const advice = retry ? `Try again in ${retry} s.` : "";
  try {
    const problem = (await response.json()) as { title: string; detail: string };
    return new UserError(`${problem.title}. ${problem.detail}`, advice);
  } catch {
    return new UserError(`The server answered with status ${response.status}.`, advice);
  }
}
