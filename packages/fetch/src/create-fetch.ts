import type { Attempt, AttemptResult, Balancer, Report } from "@fairlead/core";
import { callOptions, checkInit, mergeInit } from "./call-options.ts";
import { judgeError, judgeStatus, withLoad } from "./classify.ts";
import { toFetchError } from "./errors.ts";
import type { FairleadInit, FetchOptions } from "./options.ts";
import { isCallersMistake, type Outgoing, readRequest } from "./outgoing.ts";
import { PlainRoute } from "./plain-route.ts";
import { byteLimit, refuseLongBody } from "./request-bytes.ts";
import { discard } from "./response.ts";
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
  checkInit("createFetch", options, ["fetch"]);
  const { fetch: transport = platformFetch, ...defaults } = options;
  const client = new FetchClient(balancer, transport, Object.keys(defaults).length === 0 ? undefined : defaults);
  return (input, init) => client.fetch(input, init);
}

const platformFetch: Transport = (url, init) => globalThis.fetch(url, init);

/** Makes one attempt at a request, with what the transport needs of it. */
export type Send = (attempt: Attempt) => Promise<Response>;

/** The calls of one balanced `fetch`. */
export class FetchClient {
  readonly balancer: Balancer;
  readonly transport: Transport;
  readonly #defaults: FairleadInit | undefined;
  readonly #plain: PlainRoute | undefined;

  constructor(balancer: Balancer, transport: Transport, defaults: FairleadInit | undefined) {
    this.balancer = balancer;
    this.transport = transport;
    this.#defaults = defaults;
    this.#plain = transport.keepsOrigin === true ? undefined : new PlainRoute(this);
  }

  fetch(input: FetchInput, init: BalancedInit | undefined): Promise<Response> {
    // `fetch` never throws, it rejects.
    try {
      const { own, platformInit } = this.#split(init);
      const url = logicalUrl(input, this.balancer.origin);
      if (url === undefined) return this.elsewhere(input, platformInit);
      const outgoing = readRequest(url, input, platformInit);
      if (own?.maxRequestBytes !== undefined) this.#limitBody(outgoing, own.maxRequestBytes);
      return this.#plain === undefined
        ? this.call(outgoing, own, (attempt) => this.#send(outgoing, attempt))
        : this.#plain.fetch(outgoing, own);
    } catch (error) {
      return Promise.reject(toFetchError(error));
    }
  }

  /** Another origin is none of ours. */
  elsewhere(input: FetchInput, init: RequestInit | undefined): Promise<Response> {
    return (this.transport.fetch ?? globalThis.fetch)(input, init);
  }

  /** One balanced call: attempts until there is a response to return. */
  call(outgoing: Outgoing, own: FairleadInit | undefined, send: Send): Promise<Response> {
    const { method, oneShot, signal } = outgoing;
    const options = callOptions<Response>(
      own,
      { method, oneShot: oneShot !== undefined, signal },
      (result) => this.#judge(result, outgoing),
      discard,
    );
    return this.balancer.call(send, options).catch((error: unknown) => {
      if (signal?.aborted === true) oneShot?.dispose(error);
      throw toFetchError(oneShot?.tooLong ?? error);
    });
  }

  #send({ url, init, oneShot, signal }: Outgoing, attempt: Attempt): Promise<Response> {
    // A signal costs microseconds: such a transport hears of the end through `attempt` unless the caller gave one.
    const own: TransportInit = signal === undefined ? {} : { signal: attempt.signal };
    const body = oneShot === undefined ? undefined : { body: oneShot.open() };
    return this.transport(url.href, { ...init, ...own, ...body } as TransportInit, attempt);
  }

  #limitBody({ init, oneShot }: Outgoing, max: number): void {
    const limit = byteLimit(this.balancer, max);
    refuseLongBody(limit, init.headers, init.body);
    if (oneShot !== undefined) oneShot.limit = limit;
  }

  #split(init: BalancedInit | undefined): { own: FairleadInit | undefined; platformInit: RequestInit | undefined } {
    if (init?.fairlead === undefined) return { own: this.#defaults, platformInit: init };
    const { fairlead, ...platformInit } = init;
    checkInit("fairlead", fairlead);
    return { own: mergeInit(this.#defaults, fairlead), platformInit };
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
