import { Readable } from "node:stream";
import type { UrlObject } from "node:url";
import type { Attempt, AttemptResult, Balancer, Report } from "@fairlead/core";
import { type Dispatcher, type Pool, request as plainRequest } from "undici";
import { isOneShot, OneShotBody } from "../body.ts";
import { CallPolicy, callOptions } from "../call-policy.ts";
import { judgeError, judgeStatus, withLoad } from "../classify.ts";
import { IDEMPOTENCY_KEY } from "../idempotency-key.ts";
import { type ClientOptions, checkClientOptions, checkInit, type FairleadInit } from "../options.ts";
import { attemptHeaders } from "../propagation.ts";
import { BodyMeter, type ByteLimit, byteLimit, refuseLongBody } from "../request-bytes.ts";
import { logicalUrl } from "../target.ts";
import { givenHeader, headerOf, lastingHeaders, withHeaders } from "./headers.ts";
import { OneShotReadable } from "./one-shot-readable.ts";
import { type Pools, poolsOf } from "./pools.ts";
import { RequestExchange } from "./request-exchange.ts";
import { isClean } from "./route.ts";
import { abortSignalOf } from "./signal.ts";

/** What undici's `request` takes, and what fairlead is told of this one call. */
export type BalancedRequestOptions<TOpaque = null> = Omit<
  Dispatcher.RequestOptions<TOpaque>,
  "method" | "origin" | "path"
> & {
  readonly method?: Dispatcher.HttpMethod | undefined;
  fairlead?: FairleadInit | undefined;
};

/** undici's `request`; URLs may be relative to the balancer's logical origin. */
export type BalancedRequest = <TOpaque = null>(
  url: string | URL | UrlObject,
  options?: BalancedRequestOptions<TOpaque>,
) => Promise<Dispatcher.ResponseData<TOpaque>>;

/** Options of `createRequest`: what holds for every call that says nothing else. */
export interface RequestOptions extends ClientOptions {
  /** Options of the connection pools; the first given for a balancer count. */
  readonly pool?: Pool.Options | undefined;
}

type Data = Dispatcher.ResponseData<unknown>;
type Options = BalancedRequestOptions<unknown>;

const NO_OPTIONS: Options = {};

/**
 * undici's `request` over the backends of `balancer`, with retries above it: the fastest way to make a balanced call.
 *
 * Other origins go to undici's `request` itself. When retries are exhausted, the last response comes back; without one the
 * call rejects with undici's error, or with the `FairleadError` that names every attempt if there were several.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` if there is a key that is no option
 */
export function createRequest(balancer: Balancer, options: RequestOptions = {}): BalancedRequest {
  checkClientOptions("createRequest", options, ["pool"]);
  const { pool, ...calls } = options;
  const client = new RequestClient(balancer, poolsOf(balancer, pool), new CallPolicy(calls));
  return ((url, own) => client.request(url, own)) as BalancedRequest;
}

class RequestClient {
  readonly #balancer: Balancer;
  readonly #pools: Pools;
  readonly #policy: CallPolicy;

  constructor(balancer: Balancer, pools: Pools, policy: CallPolicy) {
    this.#balancer = balancer;
    this.#pools = pools;
    this.#policy = policy;
  }

  request(url: string | URL | UrlObject, options: Options = NO_OPTIONS): Promise<Data> {
    try {
      const path = this.#pathOf(url);
      return path === undefined ? elsewhere(url, options) : this.#call(path, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #call(path: string, own: Options): Promise<Data> {
    const { body, fairlead } = own;
    if (fairlead !== undefined) checkInit(fairlead);
    const said = this.#policy.of(fairlead);
    const method = own.method ?? (body === undefined || body === null ? "GET" : "PUT");
    const headers = lastingHeaders(own.headers);
    const key = this.#policy.keyOf(said, method, () => givenHeader(headers, IDEMPOTENCY_KEY));
    const sent = key === undefined ? headers : withHeaders(headers, { [IDEMPOTENCY_KEY]: key });
    const options = sent === own.headers ? own : { ...own, headers: sent ?? null };
    const limit = byteLimit(this.#balancer, said?.maxRequestBytes);
    refuseLongBody(limit, headers, body);
    const oneShot = oneShotOf(body);
    const answer = this.#balancer.call<Data>(
      (attempt) => this.#attempt(attempt, path, method, options, said?.propagate === true, oneShot, limit),
      callOptions<Data>(
        said,
        oneShot === undefined && this.#policy.isIdempotent(said, method, key),
        abortSignalOf(own.signal),
        oneShot === undefined ? this.#judge : (result) => this.#judgeOneShot(result, oneShot),
        isData,
        discard,
      ),
    );
    if (oneShot !== undefined) answer.catch((error: unknown) => oneShot.dispose(error));
    return answer;
  }

  #attempt(
    attempt: Attempt,
    path: string,
    method: Dispatcher.HttpMethod,
    options: Options,
    propagate: boolean,
    oneShot: OneShotBody | OneShotReadable | undefined,
    limit: ByteLimit | undefined,
  ): Promise<Data> {
    const { route, pool } = this.#pools.of(attempt.backend);
    // Aborts come through the attempt: a signal of undici's own would cost a microsecond.
    const sent = route.address<Options & { method: Dispatcher.HttpMethod }>(
      { ...options, method, signal: null },
      path,
      this.#balancer.settings.bodyIdleTimeoutMs,
      attempt.remainingMs,
    );
    if (propagate) sent.headers = withHeaders(sent.headers, attemptHeaders(attempt));
    if (oneShot !== undefined) sent.body = oneShot.open() as Readable;
    const stream = oneShot instanceof OneShotReadable ? oneShot : undefined;
    const meter = limit === undefined ? undefined : new BodyMeter(limit);
    return new RequestExchange(attempt, pool, sent, stream, meter).send();
  }

  /** The path on the logical origin, or `undefined` for another origin. */
  #pathOf(url: string | URL | UrlObject): string | undefined {
    if (typeof url === "string" && isClean(url)) return url;
    const logical = logicalUrl(isUrl(url) ? url : hrefOf(url), this.#balancer.origin);
    return logical === undefined ? undefined : logical.pathname + logical.search;
  }

  readonly #judge = (result: AttemptResult): Report => {
    if (result.failed) return judgeError(result);
    const { statusCode, headers } = result.value as Data;
    const retryAfter = statusCode < 400 ? undefined : headerOf(headers, "retry-after");
    const report = judgeStatus(statusCode, retryAfter, this.#balancer.clock);
    const { reports } = this.#balancer.settings.strategy;
    return reports === undefined ? report : withLoad(report, headerOf(headers, reports.header));
  };

  #judgeOneShot(result: AttemptResult, oneShot: OneShotBody | OneShotReadable): Report {
    if (result.failed && oneShot.failed) return { outcome: "ignored" };
    const report = this.#judge(result);
    // What was read can't be sent again, though it went nowhere.
    return report.outcome === "unreached" && oneShot.consumed ? { ...report, outcome: "failure" } : report;
  }
}

function elsewhere(url: string | URL | UrlObject, { ...options }: Options): Promise<Data> {
  delete options.fairlead;
  return plainRequest(url, options as Parameters<typeof plainRequest<unknown>>[1]);
}

function oneShotOf(body: unknown): OneShotBody | OneShotReadable | undefined {
  if (body instanceof Readable) return new OneShotReadable(body);
  return isOneShot(body) || isIterator(body) ? new OneShotBody(body) : undefined;
}

/** Generators and other iterators are used up by the first who reads them; lists and forms are not. */
function isIterator(body: unknown): body is Iterable<unknown> {
  return typeof body === "object" && body !== null && Symbol.iterator in body && "next" in body;
}

function isUrl(url: string | URL | UrlObject): url is string | URL {
  return typeof url === "string" || url instanceof URL;
}

function hrefOf({ href, protocol, host, hostname, port, pathname, search }: UrlObject): string {
  if (href !== undefined && href !== null) return href;
  const origin = `${protocol ?? "http:"}//${host ?? `${hostname ?? ""}${port === undefined || port === null ? "" : `:${port}`}`}`;
  return `${origin}${pathname ?? "/"}${search ?? ""}`;
}

function isData(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { statusCode, body } = value as Partial<Data>;
  return typeof statusCode === "number" && typeof body?.dump === "function";
}

/** Lets go of a response that nobody will read: little is read, so that the connection can serve again. */
function discard({ body }: Data): void {
  body.on("error", () => {});
  body.dump().catch(() => {});
}
