import type { PickRequest } from "@fairlead/core";

/** The keys of requests. Many backends are asked about the same request one after the other: it is asked for its key once. */
export class KeyReader {
  readonly #key: (request: PickRequest) => string | undefined;
  #request: PickRequest | undefined;
  #last: string | undefined;

  constructor(key: (request: PickRequest) => string | undefined) {
    this.#key = key;
  }

  of(request: PickRequest): string | undefined {
    if (request !== this.#request) {
      this.#last = this.#key(request);
      this.#request = request;
    }
    return this.#last;
  }
}
