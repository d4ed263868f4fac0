import type { Attempt, Balancer, Target } from "@fairlead/core";
import { attemptInit } from "./attempt-init.ts";
import type { OneShotBody } from "./body.ts";
import { FactoryBody } from "./body-factory.ts";
import { CallPolicy, callOptions } from "./call-policy.ts";
import { type Destination, Destinations } from "./destination.ts";
import { toFetchError } from "./errors.ts";
import { readHeader, withHeaders } from "./headers.ts";
import { HookedCall } from "./hooked-call.ts";
import { checkHooks, type HookLists, hookLists } from "./hooks.ts";
import { IDEMPOTENCY_KEY } from "./idempotency-key.ts";
import { checkClientOptions, checkFetchInit, type FairleadInit, type FetchInit, type FetchOptions } from "./options.ts";
import { type Addressed, type Outgoing, readRequest } from "./outgoing.ts";
import { sendPlainly } from "./plain-send.ts";
import { isRedirect } from "./redirect.ts";
import { followRedirects } from "./redirects.ts";
import { wholeBody } from "./request-body.ts";
import { limitBody } from "./request-bytes.ts";
import { discard, isResponse, withUrl } from "./response.ts";
import { hostOf, Routable } from "./routable.ts";
import { type FetchInput, isRequest, logicalUrl } from "./target.ts";
import type { Transport, TransportInit } from "./transport.ts";
import { judge } from "./verdict.ts";

/** The platform's init, and what fairlead is told of this one call. */
export interface BalancedInit extends RequestInit {
  readonly fairlead?: FetchInit | undefined;
}

/** A `fetch` whose calls to the target's logical origin are balanced. Assignable to `typeof fetch`. */
export type BalancedFetch = (input: FetchInput, init?: BalancedInit) => Promise<Response>;

/**
 * A `fetch` over the backends of a balancer, or of those that a router chooses.
 *
 * Relative URLs and those on the logical origin are balanced, with a router those on the hosts of its routes as well;
 * other origins go to the platform's `fetch` untouched. Rejects with the caller's abort reason itself, with a
 * `TimeoutError` when time ran out, and with a `TypeError` when no backend could be reached, the `FairleadError` with
 * every attempt being its `cause`. A status is never an error: when retries are exhausted, the last response comes back.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` if there is a key that is no option
 */
export function createFetch(target: Target, options: FetchOptions = {}): BalancedFetch {
  checkClientOptions("createFetch", options, ["fetch", "hooks"], (check, input) => checkHooks(check, input["hooks"]));
  const { fetch: transport = platformFetch, hooks, ...calls } = options;
  const client = new FetchClient(target, transport, new CallPolicy(calls), hookLists(hooks));
  return function fetch(input, ...rest) {
    // biome-ignore lint/complexity/noArguments: `undefined` is an argument, too.
    if (arguments.length > 0) return client.fetch(input, rest[0]);
    return Promise.reject(new TypeError("fetch: 1 argument required, but 0 present."));
  };
}

/** The platform's `fetch`, looked up at each call. */
export const platformFetch: Transport = (url, init) => globalThis.fetch(url, init);

/** The calls of one balanced `fetch`. */
export class FetchClient {
  readonly transport: Transport;
  readonly #destinations: Destinations;
  readonly #policy: CallPolicy;
  readonly #hooks: HookLists | undefined;
  readonly #answers = new WeakMap<Response, Attempt>();

  constructor(target: Target, transport: Transport, policy: CallPolicy, hooks?: HookLists) {
    this.transport = transport;
    this.#destinations = new Destinations(target);
    this.#policy = policy;
    this.#hooks = hooks;
  }

  fetch(input: FetchInput, init: BalancedInit | null | undefined): Promise<Response> {
    // `fetch` never throws, it rejects.
    try {
      const { own, made, platformInit } = split(init);
      const url = logicalUrl(input, this.#destinations);
      if (url === undefined) return this.elsewhere(input, platformInit, made);
      const isWhole = !isRequest(input) || made !== undefined || (platformInit?.body ?? null) !== null;
      const whole = isWhole ? undefined : wholeBody(input);
      if (whole === undefined) return this.#begin(readRequest(url, input, platformInit, made), own);
      const begin = (body: ArrayBuffer) => this.#begin(readRequest(url, input, { ...platformInit, body }), own);
      return whole.then(begin);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #begin(outgoing: Outgoing, own: FairleadInit | undefined): Promise<Response> {
    if (this.#hooks === undefined) return this.#follow(outgoing, own);
    const hooked = new HookedCall(this.#hooks);
    const call = (): Promise<Response> => this.#follow({ ...outgoing, hooked }, own);
    return hooked.conclude(outgoing, call, (response) => this.answeredBy(response));
  }

  #follow(outgoing: Outgoing, own: FairleadInit | undefined): Promise<Response> {
    try {
      return followRedirects(this, this.address(outgoing, own), own);
    } catch (error) {
      // Nobody will read it.
      outgoing.oneShot?.dispose(error);
      throw toFetchError(error);
    }
  }

  /** Another origin is none of ours. */
  async elsewhere(input: FetchInput, init: RequestInit | null | undefined, made?: FactoryBody): Promise<Response> {
    const other = this.transport.fetch ?? globalThis.fetch;
    if (made === undefined) return other(input, init ?? undefined);
    const send = (body: BodyInit): Promise<Response> => other(input, { ...init, body, duplex: "half" } as RequestInit);
    return made.sendBy(send, init?.signal ?? undefined);
  }

  serves(origin: string): boolean {
    return this.#destinations.serves(origin);
  }

  /**
   * Finds out where a request goes, and what holds for it; `clientIp`: whom it is made for.
   *
   * @throws FairleadError `FAIRLEAD_ERR_NO_ROUTE`; `FAIRLEAD_ERR_LIMIT` if its body is known to be too long
   */
  address(outgoing: Outgoing, own: FairleadInit | undefined, clientIp?: string): Addressed {
    const { url, method, init } = outgoing;
    const { origin } = url;
    const path = url.pathname + url.search;
    const { balancer } = this.#destinations;
    const asked =
      balancer === undefined || this.#policy.looks
        ? new Routable(method, hostOf(origin), path, init.headers, readHeader, clientIp)
        : undefined;
    const match = asked && this.#destinations.match(asked);
    const to: Destination = {
      balancer: (match?.balancer ?? balancer) as Balancer,
      origin,
      path: match?.path ?? path,
      match,
    };
    const said = this.#policy.of(own, match, asked, to.balancer);
    const addressed = this.#withKey(outgoing, to, said);
    if (said?.maxRequestBytes !== undefined) limitBody(addressed, said.maxRequestBytes);
    return addressed;
  }

  /** One balanced call: attempts until there is a response to return, or for `then` to go on from. */
  call(
    addressed: Addressed,
    isRedirected: boolean,
    then?: (response: Response) => Response | Promise<Response>,
  ): Promise<Response> {
    const { method, oneShot, made, signal, key, said, to, kind, watch, hooked } = addressed;
    const options = callOptions<Response>(withFallbackKey(addressed), {
      kind,
      idempotent: oneShot === undefined && this.#policy.isIdempotent(said, method, key),
      oneShot: oneShot !== undefined,
      signal,
      judge: (result) => judge(result, addressed, this.answeredBy(result.value as Response)?.balancer ?? to.balancer),
      accepts: isResponse,
      discard,
      beforeRepeat: hooked?.mayStopRetries === true ? (attempt) => hooked.beforeRetry(addressed, attempt) : undefined,
    });
    const send = (attempt: Attempt): Promise<Response> => this.#attempt(addressed, attempt, isRedirected);
    const run = watch === undefined ? send : (attempt: Attempt) => watch(attempt, send);
    const quiet =
      hooked === undefined && made === undefined
        ? send
        : (attempt: Attempt) => this.#attempt(copyOf(addressed), attempt, isRedirected);
    const answer = to.match === undefined ? to.balancer.call(run, options) : to.match.call(run, options, quiet);
    const body = made ?? oneShot;
    return answer.then(then, body === undefined ? failed : (error: unknown) => failedWith(body, error));
  }

  /** Who has sent a response, where anybody asks. */
  answeredBy(response: Response): Attempt | undefined {
    return this.#answers.get(response);
  }

  #attempt(addressed: Addressed, attempt: Attempt, isRedirected: boolean): Promise<Response> {
    return addressed.hooked === undefined && addressed.made === undefined
      ? this.#send(addressed, attemptInit(addressed, attempt, this.transport), attempt, isRedirected)
      : this.#prepare(addressed, attempt, (init) => this.#send(addressed, init, attempt, isRedirected));
  }

  #send(addressed: Addressed, init: TransportInit, attempt: Attempt, isRedirected: boolean): Promise<Response> {
    const { transport } = this;
    const answer =
      transport.keepsOrigin === true
        ? transport(addressed.url.href, init, attempt, addressed.to)
        : sendPlainly(transport, addressed, init, attempt, isRedirected);
    // Not every transport keeps to its type.
    return Promise.resolve(answer).then((response) => {
      if (isRedirected && !response.redirected) withUrl(response, response.url, true);
      if (this.#isAskedFor(response, addressed, attempt)) this.#answers.set(response, attempt);
      return response;
    });
  }

  /** Sends an attempt where functions of the caller have their say before. */
  async #prepare(
    addressed: Addressed,
    attempt: Attempt,
    send: (init: TransportInit) => Promise<Response>,
  ): Promise<Response> {
    const { transport } = this;
    const { hooked, made } = addressed;
    attempt.markSent(false);
    const init: TransportInit = { ...attemptInit(addressed, attempt, transport) };
    if (hooked !== undefined) init.headers = await hooked.beforeRequest(addressed, attempt, init.headers);
    const begin = (body = init.body): Promise<Response> => {
      attempt.signal.throwIfAborted();
      // Such a transport says itself when it sends.
      if (transport.keepsOrigin !== true) attempt.markSent();
      return send({ ...init, body: body ?? null });
    };
    return made === undefined ? begin() : made.sendBy(begin, attempt.signal);
  }

  /** Hooks ask whose an answer is, who follows redirects, and who judges what a fallback or a mirror has answered. */
  #isAskedFor(response: Response, { hooked, to }: Addressed, { balancer }: Attempt): boolean {
    return hooked !== undefined || isRedirect(response) || balancer !== to.balancer;
  }

  #withKey(outgoing: Outgoing, to: Destination, said: FairleadInit | undefined): Addressed {
    const { method, init } = outgoing;
    const key = this.#policy.keyOf(said, method, init.headers, readHeader);
    if (key === undefined) return { ...outgoing, to, said, key };
    const hasOwnKey = outgoing.hasOwnKey === true || key !== readHeader(init.headers, IDEMPOTENCY_KEY);
    const headers = withHeaders(init.headers, { [IDEMPOTENCY_KEY]: key });
    return { ...outgoing, to, said, key, hasOwnKey, init: { ...init, headers } };
  }
}

function split(init: BalancedInit | null | undefined): {
  own: FairleadInit | undefined;
  made: FactoryBody | undefined;
  platformInit: RequestInit | null | undefined;
} {
  if (init?.fairlead === undefined) return { own: undefined, made: undefined, platformInit: init };
  const { fairlead, ...platformInit } = init;
  checkFetchInit(fairlead);
  const { body, ...own } = fairlead;
  return { own, made: body && new FactoryBody(body), platformInit };
}

function failed(error: unknown): never {
  throw toFetchError(error);
}

function failedWith(body: FactoryBody | OneShotBody, error: unknown): never {
  body.dispose(error);
  throw toFetchError(body.tooLong ?? error);
}

/** For a mirror: the caller's hooks hear nothing of it, and what becomes of its body is nothing to the call. */
function copyOf(addressed: Addressed): Addressed {
  return { ...addressed, hooked: undefined, made: addressed.made?.another() };
}

/** What a fallback remembers an answer by, unless the caller says: the URL of what was read. */
function withFallbackKey({ method, url, said, to }: Addressed): FairleadInit | undefined {
  const fallback = said?.fallback ?? to.balancer.settings.fallback;
  if (fallback === undefined || fallback === false || method !== "GET") return said;
  return { fallbackKey: url.href, ...said };
}
