import type { Attempt, AttemptResult, Balancer, Report } from "@fairlead/core";
import { CallPolicy, callOptions } from "./call-policy.ts";
import { judgeError, judgeStatus, withLoad } from "./classify.ts";
import { toFetchError } from "./errors.ts";
import { withHeaders } from "./headers.ts";
import { IDEMPOTENCY_KEY } from "./idempotency-key.ts";
import { checkClientOptions, checkInit, type FairleadInit, type FetchOptions } from "./options.ts";
import { isCallersMistake, type Outgoing, readRequest } from "./outgoing.ts";
import { PlainRoute } from "./plain-route.ts";
import { attemptHeaders } from "./propagation.ts";
import { byteLimit, refuseLongBody } from "./request-bytes.ts";
import { discard, isResponse } from "./response.ts";
import { type FetchInput, logicalUrl } from "./target.ts";
import type { Transport, TransportInit } from "./transport.ts";

/** The platform's init, and what fairlead is told of this one call. */
export interface BalancedInit extends RequestInit {
  readonly fairlead?: FairleadInit | undefined;
}

/** A `fetch` whose calls to the balancer's logical origin are balanced. Assignable to `typeof fetch`. */
export type BalancedFetch = (input: FetchInput, init?: BalancedInit) => Promise<Response>;

/**
 * A `fetch` over the backends of `balancer`.
 *
 * Relative URLs and those on the balancer's logical origin are balanced; other origins go to the platform's `fetch`
 * untouched. Rejects with the caller's abort reason itself, with a `TimeoutError` when time ran out, and with a
 * `TypeError` when no backend could be reached, the `FairleadError` with every attempt being its `cause`. A status is
 * never an error: when retries are exhausted, the last response comes back.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` if there is a key that is no option
 */
export function createFetch(balancer: Balancer, options: FetchOptions = {}): BalancedFetch {
  checkClientOptions("createFetch", options, ["fetch"]);
  const { fetch: transport = platformFetch, ...calls } = options;
  const client = new FetchClient(balancer, transport, new CallPolicy(calls));
  return (input, init) => client.fetch(input, init);
}

const platformFetch: Transport = (url, init) => globalThis.fetch(url, init);

/** Makes one attempt at a request, with what the transport needs of it. */
export type Send = (attempt: Attempt) => Promise<Response>;

/** The calls of one balanced `fetch`. */
export class FetchClient {
  readonly balancer: Balancer;
  readonly transport: Transport;
  readonly #policy: CallPolicy;
  readonly #plain: PlainRoute | undefined;

  constructor(balancer: Balancer, transport: Transport, policy: CallPolicy) {
    this.balancer = balancer;
    this.transport = transport;
    this.#policy = policy;
    this.#plain = transport.keepsOrigin === true ? undefined : new PlainRoute(this);
  }

  fetch(input: FetchInput, init: BalancedInit | undefined): Promise<Response> {
    // `fetch` never throws, it rejects.
    try {
      const { own, platformInit } = split(init);
      const url = logicalUrl(input, this.balancer.origin);
      if (url === undefined) return this.elsewhere(input, platformInit);
      const said = this.#policy.of(own);
      const outgoing = this.#withKey(readRequest(url, input, platformInit), said);
      if (said?.maxRequestBytes !== undefined) this.#limitBody(outgoing, said.maxRequestBytes);
      return this.#plain === undefined
        ? this.call(outgoing, said, (attempt) => this.#send(outgoing, said, attempt))
        : this.#plain.fetch(outgoing, said);
    } catch (error) {
      return Promise.reject(toFetchError(error));
    }
  }

  /** Another origin is none of ours. */
  elsewhere(input: FetchInput, init: RequestInit | undefined): Promise<Response> {
    return (this.transport.fetch ?? globalThis.fetch)(input, init);
  }

  /** One balanced call: attempts until there is a response to return. */
  call(outgoing: Outgoing, said: FairleadInit | undefined, send: Send): Promise<Response> {
    const { method, oneShot, signal, key } = outgoing;
    const options = callOptions<Response>(
      this.#withFallbackKey(outgoing, said),
      oneShot === undefined && this.#policy.isIdempotent(said, method, key),
      signal,
      (result) => this.#judge(result, outgoing),
      isResponse,
      discard,
    );
    return this.balancer.call(send, options).catch((error: unknown) => {
      if (signal?.aborted === true) oneShot?.dispose(error);
      throw toFetchError(oneShot?.tooLong ?? error);
    });
  }

  #send({ url, init, oneShot, signal }: Outgoing, said: FairleadInit | undefined, attempt: Attempt): Promise<Response> {
    // A signal costs microseconds: such a transport hears of the end through `attempt` unless the caller gave one.
    const own: TransportInit = signal === undefined ? {} : { signal: attempt.signal };
    const body = oneShot === undefined ? undefined : { body: oneShot.open() };
    const toBackend = { ...init, ...own, ...body };
    if (said?.propagate === true) toBackend.headers = withHeaders(init.headers, attemptHeaders(attempt));
    return this.transport(url.href, toBackend as TransportInit, attempt);
  }

  /** What a fallback remembers an answer by, unless the caller says: the URL of what was read. */
  #withFallbackKey({ method, url }: Outgoing, said: FairleadInit | undefined): FairleadInit | undefined {
    const fallback = said?.fallback ?? this.balancer.settings.fallback;
    if (fallback === undefined || fallback === false || method !== "GET") return said;
    return { fallbackKey: url.href, ...said };
  }

  #withKey(outgoing: Outgoing, said: FairleadInit | undefined): Outgoing {
    const { method, init } = outgoing;
    const given = (): string | undefined => new Headers(init.headers).get(IDEMPOTENCY_KEY) ?? undefined;
    const key = this.#policy.keyOf(said, method, given);
    if (key === undefined) return outgoing;
    return { ...outgoing, key, init: { ...init, headers: withHeaders(init.headers, { [IDEMPOTENCY_KEY]: key }) } };
  }

  #limitBody({ init, oneShot }: Outgoing, max: number): void {
    const limit = byteLimit(this.balancer, max);
    refuseLongBody(limit, init.headers, init.body);
    if (oneShot !== undefined) oneShot.limit = limit;
  }

  #judge(result: AttemptResult, outgoing: Outgoing): Report {
    if (!result.failed) {
      const { status, headers } = result.value as Response;
      const { clock, settings } = this.balancer;
      const report = judgeStatus(status, status < 400 ? undefined : headers.get("retry-after"), clock);
      const { reports } = settings.strategy;
      return reports === undefined ? report : withLoad(report, headers.get(reports.header));
    }
    const { oneShot } = outgoing;
    if (oneShot?.failed === true || isCallersMistake(outgoing, result.error)) return { outcome: "ignored" };
    const report = judgeError(result);
    // What was read can't be sent again, though it went nowhere.
    return report.outcome === "unreached" && oneShot?.consumed === true ? { ...report, outcome: "failure" } : report;
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
