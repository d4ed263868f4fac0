import { catchLater } from "@fairlead/core";
import { isResponse } from "../response.ts";
import type { ForwardOptions } from "./contract.ts";
import type { Passage } from "./passage.ts";
import { essenceOf, problemOf, RefusedError } from "./refused.ts";
import { editable, type ResponseHeaders } from "./response-headers.ts";

/** What clients get when there is no answer of a backend. */
export class Refusals {
  readonly #onError: ForwardOptions["onError"];
  readonly #responses: ResponseHeaders;

  constructor(onError: ForwardOptions["onError"], responses: ResponseHeaders) {
    this.#onError = onError;
    this.#responses = responses;
  }

  /** @throws the reason of a client that has left */
  answer(passage: Passage, thrown: unknown): Response {
    const { signal } = passage.request;
    if (signal.aborted) {
      passage.fail(signal.reason);
      throw signal.reason;
    }
    const error = hasBrokenOff(passage) ? bodyBrokeOff(thrown) : thrown;
    const response = this.#ask(error, passage) ?? problemOf(error, passage.request.method);
    const shown = editable(response);
    this.#responses.sign(shown.headers, passage);
    passage.fail(essenceOf(error), shown.status);
    return shown;
  }

  #ask(error: unknown, passage: Passage): Response | undefined {
    const failed = (reason: unknown): void => passage.callbackFailed("onError", reason);
    try {
      const own: unknown = this.#onError?.(error, passage.request);
      if (own === undefined || isResponse(own)) return own;
      if (!catchLater(own, failed)) failed(new TypeError("onError must return a Response or undefined"));
    } catch (reason) {
      failed(reason);
    }
    return undefined;
  }
}

/** The body of the request failed, and not because it was too long. */
function hasBrokenOff({ addressed }: Passage): boolean {
  return addressed?.oneShot?.failed === true && addressed.oneShot.tooLong === undefined;
}

function bodyBrokeOff(cause: unknown): RefusedError {
  return new RefusedError(400, "the body of the request broke off", cause);
}
