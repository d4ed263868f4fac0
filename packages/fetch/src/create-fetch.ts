import type { Attempt, AttemptResult, Backend, Report, Target } from "@fairlead/core";
import { CallPolicy, callOptions } from "./call-policy.ts";
import { judgeError, judgeStatus, withLoad } from "./classify.ts";
import { type Destination, Destinations } from "./destination.ts";
import { toFetchError } from "./errors.ts";
import { withHeaders } from "./headers.ts";
import { IDEMPOTENCY_KEY } from "./idempotency-key.ts";
import { checkClientOptions, checkInit, type FairleadInit, type FetchOptions } from "./options.ts";
import { type Addressed, isCallersMistake, type Outgoing, readRequest } from "./outgoing.ts";
import { sendPlainly } from "./plain-send.ts";
import { attemptHeaders } from "./propagation.ts";
import { followRedirects } from "./redirects.ts";
import { byteLimit, refuseLongBody } from "./request-bytes.ts";
import { discard, isResponse, withUrl } from "./response.ts";
import { headerReader, hostOf, Routable } from "./routable.ts";
import { type FetchInput, logicalUrl } from "./target.ts";
import type { Transport, TransportInit } from "./transport.ts";

/** The platform's init, and what fairlead is told of this one call. */
export interface BalancedInit extends RequestInit {
  readonly fairlead?: FairleadInit | undefined;
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
  checkClientOptions("createFetch", options, ["fetch"]);
  const { fetch: transport = platformFetch, ...calls } = options;
  const client = new FetchClient(target, transport, new CallPolicy(calls));
  return (input, init) => client.fetch(input, init);
}

/** The platform's `fetch`, looked up at each call. */
export const platformFetch: Transport = (url, init) => globalThis.fetch(url, init);

/** The calls of one balanced `fetch`. */
export class FetchClient {
  readonly transport: Transport;
  readonly #destinations: Destinations;
  readonly #policy: CallPolicy;
  /** Redirects are followed here: the transport can't, or another route may take them. */
  readonly #follows: boolean;
  readonly #answers = new WeakMap<Response, Backend>();

  constructor(target: Target, transport: Transport, policy: CallPolicy) {
    this.transport = transport;
    this.#destinations = new Destinations(target);
    this.#policy = policy;
    this.#follows = transport.keepsOrigin !== true || this.#destinations.balancer === undefined;
  }

  fetch(input: FetchInput, init: BalancedInit | undefined): Promise<Response> {
    // `fetch` never throws, it rejects.
    try {
      const { own, platformInit } = split(init);
      const url = logicalUrl(input, this.#destinations);
      if (url === undefined) return this.elsewhere(input, platformInit);
      const first = this.address(readRequest(url, input, platformInit), own);
      return this.#follows ? followRedirects(this, first, own) : this.call(first, false);
    } catch (error) {
      return Promise.reject(toFetchError(error));
    }
  }

  /** Another origin is none of ours. */
  elsewhere(input: FetchInput, init: RequestInit | undefined): Promise<Response> {
    return (this.transport.fetch ?? globalThis.fetch)(input, init);
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
    const path = url.pathname + url.search;
    const { balancer } = this.#destinations;
    const asked =
      balancer === undefined || this.#policy.looks
        ? new Routable(method, hostOf(url.origin), path, headerReader(init.headers), clientIp)
        : undefined;
    const match = asked && this.#destinations.match(asked);
    const said = this.#policy.of(own, match, asked);
    const to = { balancer: match?.balancer ?? balancer, origin: url.origin, path: match?.path ?? path, match };
    const addressed = this.#withKey(outgoing, to as Destination, said);
    if (said?.maxRequestBytes !== undefined) limitBody(addressed, said.maxRequestBytes);
    return addressed;
  }

  /** One balanced call: attempts until there is a response to return. */
  call(addressed: Addressed, isRedirected: boolean): Promise<Response> {
    const { method, oneShot, signal, key, said, to, kind, watch } = addressed;
    const options = callOptions<Response>(
      withFallbackKey(addressed),
      oneShot === undefined && this.#policy.isIdempotent(said, method, key),
      oneShot !== undefined,
      signal,
      (result) => judge(result, addressed),
      isResponse,
      discard,
    );
    const send = this.#follows
      ? (attempt: Attempt) => this.#sendAndShow(addressed, attempt, isRedirected)
      : (attempt: Attempt) => this.#send(addressed, attempt);
    const run = watch === undefined ? send : (attempt: Attempt) => watch(attempt, send);
    const all = kind === undefined ? options : { ...options, kind };
    const answer = to.match === undefined ? to.balancer.call(run, all) : to.match.call(run, all, send);
    return answer.catch((error: unknown) => {
      if (signal?.aborted === true) oneShot?.dispose(error);
      throw toFetchError(oneShot?.tooLong ?? error);
    });
  }

  /** Who has sent a response, where redirects are followed here. */
  answeredBy(response: Response): Backend | undefined {
    return this.#answers.get(response);
  }

  async #sendAndShow(addressed: Addressed, attempt: Attempt, isRedirected: boolean): Promise<Response> {
    const response = await (this.transport.keepsOrigin === true
      ? this.#send(addressed, attempt)
      : sendPlainly(this.transport, addressed, attempt, isRedirected));
    if (isRedirected && !response.redirected) withUrl(response, response.url, true, response.type);
    this.#answers.set(response, attempt.backend);
    return response;
  }

  #send({ url, init, oneShot, signal, said, to }: Addressed, attempt: Attempt): Promise<Response> {
    // A signal costs microseconds: such a transport hears of the end through `attempt` unless the caller gave one.
    const quiet = signal === undefined || this.transport.needsNoSignal === true;
    const own: TransportInit = quiet ? {} : { signal: attempt.signal };
    const body = oneShot === undefined ? undefined : { body: oneShot.open() };
    const toBackend = { ...init, ...own, ...body };
    if (said?.propagate === true) toBackend.headers = withHeaders(init.headers, attemptHeaders(attempt));
    if (this.#follows) toBackend.redirect = "manual";
    return this.transport(url.href, toBackend as TransportInit, attempt, to);
  }

  #withKey(outgoing: Outgoing, to: Destination, said: FairleadInit | undefined): Addressed {
    const { method, init } = outgoing;
    const given = (): string | undefined => new Headers(init.headers).get(IDEMPOTENCY_KEY) ?? undefined;
    const key = this.#policy.keyOf(said, method, given);
    if (key === undefined) return { ...outgoing, to, said, key };
    const headers = withHeaders(init.headers, { [IDEMPOTENCY_KEY]: key });
    return { ...outgoing, to, said, key, init: { ...init, headers } };
  }
}

function split(init: BalancedInit | undefined): {
  own: FairleadInit | undefined;
  platformInit: RequestInit | undefined;
} {
  if (init?.fairlead === undefined) return { own: undefined, platformInit: init };
  const { fairlead, ...platformInit } = init;
  checkInit(fairlead);
  return { own: fairlead, platformInit };
}

/** What a fallback remembers an answer by, unless the caller says: the URL of what was read. */
function withFallbackKey({ method, url, said, to }: Addressed): FairleadInit | undefined {
  const fallback = said?.fallback ?? to.balancer.settings.fallback;
  if (fallback === undefined || fallback === false || method !== "GET") return said;
  return { fallbackKey: url.href, ...said };
}

function limitBody({ init, oneShot, to }: Addressed, max: number): void {
  const limit = byteLimit(to.balancer, max);
  refuseLongBody(limit, init.headers, init.body);
  if (oneShot !== undefined) oneShot.limit = limit;
}

function judge(result: AttemptResult, addressed: Addressed): Report {
  const { oneShot, to } = addressed;
  if (!result.failed) {
    const { status, headers } = result.value as Response;
    const { clock, settings } = to.balancer;
    const report = judgeStatus(status, status < 400 ? undefined : headers.get("retry-after"), clock);
    const { reports } = settings.strategy;
    return reports === undefined ? report : withLoad(report, headers.get(reports.header));
  }
  if (oneShot?.failed === true || isCallersMistake(addressed, result.error)) return { outcome: "ignored" };
  const report = judgeError(result);
  // What was read can't be sent again, though it went nowhere.
  return report.outcome === "unreached" && oneShot?.consumed === true ? { ...report, outcome: "failure" } : report;
}
