import { blameNobody } from "../classify.ts";
import type { DispatchOptions } from "./handler.ts";
import { isNodeStream, isSentOnce } from "./one-shot.ts";

type Body = DispatchOptions["body"];

/** The body of a dispatch. If reading it fails, no backend is to blame. */
export class DispatchBody {
  /** For undici. */
  readonly value: Body;
  /** It can be sent again. */
  readonly isReplayable: boolean;
  readonly #source: Body;
  readonly #onError: (error: Error) => void;

  /** `onError`: the stream has failed, whether or not a request has begun. */
  constructor(source: Body, onError: (error: Error) => void) {
    this.#source = source;
    this.#onError = (error) => {
      blameNobody(error);
      onError(error);
    };
    this.isReplayable = !isSentOnce(source);
    this.value = this.isReplayable || isNodeStream(source) ? source : (blameless(source as never) as never);
    // Between two attempts nobody else may listen, and an error without a listener ends the process.
    if (isNodeStream(source)) source.on("error", this.#onError);
  }

  /** The call is over. */
  dispose(): void {
    if (isNodeStream(this.#source)) this.#source.off("error", this.#onError);
  }
}

async function* blameless(source: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator {
  try {
    yield* source;
  } catch (error) {
    blameNobody(error);
    throw error;
  }
}
