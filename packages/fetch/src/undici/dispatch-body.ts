import { blameNobody } from "../classify.ts";
import type { DispatchOptions } from "./handler.ts";
import { isNodeStream } from "./one-shot.ts";

type Source = AsyncIterable<unknown> | Iterable<unknown>;

/** The body of a dispatch that can be sent once. If reading it fails, no backend is to blame. */
export class DispatchBody {
  /** For undici. */
  readonly value: NonNullable<DispatchOptions["body"]>;
  /** A request with it began: it cannot be sent again. */
  consumed = false;
  readonly #onError: (error: Error) => void;

  /** `onError`: it is a stream, and has failed, whether or not a request has begun. */
  constructor(source: Source, onError: (error: Error) => void) {
    this.#onError = (error) => {
      blameNobody(error);
      onError(error);
    };
    this.value = (isNodeStream(source) ? source : blameless(source)) as NonNullable<DispatchOptions["body"]>;
    // Between two attempts nobody else may listen, and an error without a listener ends the process.
    if (isNodeStream(source)) source.on("error", this.#onError);
  }

  /** The call is over. */
  dispose(): void {
    if (isNodeStream(this.value)) this.value.off("error", this.#onError);
  }
}

async function* blameless(source: Source): AsyncGenerator {
  try {
    yield* source;
  } catch (error) {
    blameNobody(error);
    throw error;
  }
}
