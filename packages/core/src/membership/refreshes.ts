/** Requests to look again, as a stream: several before the reader comes back are one. */
export class Refreshes implements AsyncIterable<void> {
  #requested = false;
  #closed = false;
  readonly #readers = new Set<(result: IteratorResult<void>) => void>();

  request(): void {
    if (this.#readers.size === 0) this.#requested = true;
    else this.#wake({ done: false, value: undefined });
  }

  /** For the next watch: what nobody has taken goes on, and readers of this one are done. */
  successor(): Refreshes {
    const next = new Refreshes();
    next.#requested = this.#requested;
    this.close();
    return next;
  }

  /** The watch has ended: whoever still waits of it takes no request. */
  close(): void {
    this.#closed = true;
    this.#wake({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): AsyncIterator<void> {
    const own = new Set<(result: IteratorResult<void>) => void>();
    return {
      next: () => this.#next(own),
      return: () => {
        // A reader that has left must not use up a request.
        for (const resolve of own) {
          this.#readers.delete(resolve);
          resolve({ done: true, value: undefined });
        }
        own.clear();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #next(own: Set<(result: IteratorResult<void>) => void>): Promise<IteratorResult<void>> {
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    if (this.#requested) {
      this.#requested = false;
      return Promise.resolve({ done: false, value: undefined });
    }
    return new Promise((resolve) => {
      const reader = (result: IteratorResult<void>): void => {
        own.delete(reader);
        resolve(result);
      };
      own.add(reader);
      this.#readers.add(reader);
    });
  }

  #wake(result: IteratorResult<void>): void {
    const readers = [...this.#readers];
    this.#readers.clear();
    for (const resolve of readers) resolve(result);
  }
}
