/** Lets promises do what they can without time passing. One channel for a whole run: making one is what costs. */
export class PromiseTurns {
  readonly #channel = new MessageChannel();
  #resolve: (() => void) | undefined;

  constructor() {
    this.#channel.port1.addEventListener("message", () => this.#resolve?.());
    this.#channel.port1.start();
  }

  /** A macrotask: everything that can settle has settled when it resolves. */
  settle(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#channel.port2.postMessage(undefined);
    });
  }

  close(): void {
    this.#channel.port1.close();
  }
}
