/** Requests to look again, as a stream: several before the reader comes back are one. */
export class Refreshes implements AsyncIterable<void> {
  #requested = false;
  #closed = false;
  readonly #readers = new Set<(result: IteratorResult<void>) => void>();

  request(): void {
    if (this.#readers.size === 0) this.#requested = true;
    else this.#wake({ done: false, value: undefined });
  }

  close(): void {
    this.#closed = true;
    this.#wake({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): AsyncIterator<void> {
    return {
      next: () => this.#next(),
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
  }

  #next(): Promise<IteratorResult<void>> {
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    if (this.#requested) {
      this.#requested = false;
      return Promise.resolve({ done: false, value: undefined });
    }
    return new Promise((resolve) => this.#readers.add(resolve));
  }

  #wake(result: IteratorResult<void>): void {
    const readers = [...this.#readers];
    this.#readers.clear();
    for (const resolve of readers) resolve(result);
  }
}
