// What screen readers say of the verdict, which changes faster than anybody could listen.

const EVERY_MS = 4000;

/** Says each new verdict; of those that come within some seconds after another, the last. */
export class Announcer {
  #latest = "";
  #said = "";
  #isPausing = false;

  constructor(private readonly say: (text: string) => void) {}

  tell(text: string): void {
    this.#latest = text;
    if (!this.#isPausing) this.#sayLatest();
  }

  #sayLatest(): void {
    this.#isPausing = false;
    if (this.#latest === this.#said) return;
    this.#said = this.#latest;
    this.say(this.#said);
    // What comes after nothing need not wait.
    if (this.#said === "") return;
    this.#isPausing = true;
    setTimeout(() => this.#sayLatest(), EVERY_MS);
  }
}
