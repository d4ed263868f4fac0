/** A request that is answered here, because it can't be handed on. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, why: string, options?: ErrorOptions) {
    super(why, options);
    this.status = status;
  }
}

/** What a client is told of an error. Its own mistakes are no news; whatever else it is must not get lost. */
export function refusalOf(error: unknown, onError: (error: unknown) => void): Refusal {
  const refusal =
    error instanceof Refusal ? error : new Refusal(500, "The request could not be handled", { cause: error });
  if (refusal.status === 500 || refusal.status === 502) onError(refusal.cause);
  return refusal;
}

/** The reason of everything that ends because nobody waits for it any more. */
export function clientGone(): DOMException {
  return new DOMException("The client has closed the connection", "AbortError");
}
