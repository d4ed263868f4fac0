import type { Attempt, FailedAttempt } from "@fairlead/core";
import { blameNobody } from "./classify.ts";
import type { HookContext, HookLists } from "./hooks.ts";
import type { Outgoing } from "./outgoing.ts";
import { discard, isResponse } from "./response.ts";
import { unlessAborted } from "./unless-aborted.ts";

/** The hooks of one call, and where it is. */
export class HookedCall {
  readonly #hooks: HookLists;
  #attempt: Attempt | undefined = undefined;

  constructor(hooks: HookLists) {
    this.#hooks = hooks;
  }

  get mayStopRetries(): boolean {
    return this.#hooks.beforeRetry.length > 0;
  }

  /** The headers that an attempt is to send. One that is given up waits for no hook. */
  async beforeRequest(request: Outgoing, attempt: Attempt, given: HeadersInit | undefined): Promise<Headers> {
    this.#attempt = attempt;
    let headers = new Headers(given);
    try {
      for (const hook of this.#hooks.beforeRequest) {
        const others = await unlessAborted(hook({ ...shown(request), attempt, headers }), attempt.signal);
        if (others !== undefined) headers = new Headers(others);
      }
    } catch (error) {
      blameNobody(error);
      throw error;
    }
    return headers;
  }

  /** Whether the call may be repeated. */
  async beforeRetry(request: Outgoing, attempt: FailedAttempt): Promise<boolean> {
    const response = isResponse(attempt.value) ? attempt.value : undefined;
    for (const hook of this.#hooks.beforeRetry)
      if ((await hook({ ...shown(request), attempt, response })) === false) return false;
    return true;
  }

  /** What the caller gets of `call` in the end. `attemptOf` knows whose answer a response is. */
  async conclude(
    request: Outgoing,
    call: () => Promise<Response>,
    attemptOf: (response: Response) => Attempt | undefined,
  ): Promise<Response> {
    try {
      return await this.#afterResponse(request, await call(), attemptOf);
    } catch (error) {
      throw request.signal?.aborted === true ? error : await this.#beforeError(request, error);
    }
  }

  async #afterResponse(
    request: Outgoing,
    answer: Response,
    attemptOf: (response: Response) => Attempt | undefined,
  ): Promise<Response> {
    let response = answer;
    const attempt = attemptOf(answer);
    try {
      for (const hook of this.#hooks.afterResponse) {
        const other: unknown = await unlessAborted(hook({ ...shown(request), attempt, response }), request.signal);
        if (other === undefined || other === response) continue;
        if (!isResponse(other)) throw new TypeError("afterResponse must return a Response or nothing");
        discard(response);
        response = other;
      }
    } catch (error) {
      discard(response);
      throw error;
    }
    return response;
  }

  async #beforeError(request: Outgoing, given: unknown): Promise<unknown> {
    let error = given;
    for (const hook of this.#hooks.beforeError)
      error =
        (await unlessAborted(hook({ ...shown(request), attempt: this.#attempt, error }), request.signal)) ?? error;
    return error;
  }
}

function shown({ url, method }: Outgoing): HookContext {
  return { url: url.href, method };
}
