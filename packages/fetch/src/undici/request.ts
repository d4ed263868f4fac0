import { Readable } from "node:stream";
import type { UrlObject } from "node:url";
import type { Attempt, AttemptResult, Balancer, Report, RoutableRequest, RouteMatch, Target } from "@fairlead/core";
import { type Dispatcher, request as plainRequest } from "undici";
import { OneShotBody } from "../body.ts";
import { CallPolicy, callOptions } from "../call-policy.ts";
import { judgeError, judgeStatus, withLoad } from "../classify.ts";
import { Destinations } from "../destination.ts";
import { IDEMPOTENCY_KEY } from "../idempotency-key.ts";
import { type ClientOptions, checkClientOptions, checkInit, type FairleadInit } from "../options.ts";
import { attemptHeaders } from "../propagation.ts";
import { BodyMeter, type ByteLimit, byteLimit, refuseLongBody } from "../request-bytes.ts";
import { hostOf, Routable } from "../routable.ts";
import { isClean, logicalUrl } from "../target.ts";
import { checkPoolOptions, type PoolOptions } from "./connections/pool-options.ts";
import { givenHeader, headerOf, lastingHeaders, withHeaders } from "./headers.ts";
import { isSentOnce } from "./one-shot.ts";
import { OneShotReadable } from "./one-shot-readable.ts";
import { RequestExchange } from "./request-exchange.ts";
import { EmitterSignal, isEmitter } from "./signal.ts";
import { TargetPools } from "./target-pools.ts";

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
  readonly pool?: PoolOptions | undefined;
}

type Data = Dispatcher.ResponseData<unknown>;
type Options = BalancedRequestOptions<unknown>;

const NO_OPTIONS: Options = {};

/**
 * undici's `request` over the backends of a balancer, or of those that a router chooses, with retries above it: the fastest way to make a balanced call.
 *
 * Other origins go to undici's `request` itself. When retries are exhausted, the last response comes back; without one the
 * call rejects with undici's error, or with the `FairleadError` that names every attempt if there were several.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` if there is a key that is no option
 */
export function createRequest(target: Target, options: RequestOptions = {}): BalancedRequest {
  checkClientOptions("createRequest", options, ["pool"]);
  const { pool, ...calls } = options;
  checkPoolOptions("createRequest", pool);
  const client = new RequestClient(new Destinations(target), new TargetPools(target, pool), new CallPolicy(calls));
  return ((url, own) => client.request(url, own)) as BalancedRequest;
}

class RequestClient {
  readonly #destinations: Destinations;
  readonly #pools: TargetPools;
  readonly #policy: CallPolicy;
  /** Somebody has to see each request. */
  readonly #looks: boolean;
  /** For most calls: one closure less for each. */
  readonly #judge: (result: AttemptResult) => Report;

  constructor(destinations: Destinations, pools: TargetPools, policy: CallPolicy) {
    this.#destinations = destinations;
    this.#pools = pools;
    this.#policy = policy;
    this.#looks = destinations.balancer === undefined || policy.looks;
    this.#judge = (result) => judge(result, undefined, destinations.balancer as Balancer);
  }

  request(url: string | URL | UrlObject, options: Options = NO_OPTIONS): Promise<Data> {
    try {
      const { origin } = this.#destinations;
      if (typeof url === "string" && isClean(url)) return this.#call(origin, url, options);
      const logical = logicalUrl(isUrl(url) ? url : hrefOf(url), this.#destinations);
      if (logical === undefined) return elsewhere(url, options);
      return this.#call(logical.origin, logical.pathname + logical.search, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #call(origin: string, path: string, own: Options): Promise<Data> {
    const { fairlead } = own;
    if (fairlead !== undefined) checkInit(fairlead);
    const method = methodOf(own);
    const headers = lastingHeaders(own.headers);
    const asked = this.#looks ? routable(method, origin, path, headers) : undefined;
    const match = asked && this.#destinations.match(asked);
    const balancer = (match?.balancer ?? this.#destinations.balancer) as Balancer;
    const said = this.#policy.of(fairlead, match, asked, balancer);
    return this.#send(match?.path ?? path, method, headers, own, balancer, match, said);
  }

  #send(
    path: string,
    method: Dispatcher.HttpMethod,
    headers: Options["headers"],
    own: Options,
    balancer: Balancer,
    match: RouteMatch | undefined,
    said: FairleadInit | undefined,
  ): Promise<Data> {
    const emitter = isEmitter(own.signal) ? new EmitterSignal(own.signal) : undefined;
    const key = this.#policy.keyOf(said, method, headers, givenHeader);
    const limit = byteLimit(balancer, said?.maxRequestBytes);
    refuseLongBody(limit, headers, own.body);
    const oneShot = oneShotOf(own.body);
    const options = withKey(own, headers, key);
    const propagate = said?.propagate === true;
    const run = (attempt: Attempt): Promise<Data> =>
      this.#attempt(attempt, path, method, options, propagate, oneShot, limit);
    const callIs = callOptions<Data>(said, {
      idempotent: oneShot === undefined && this.#policy.isIdempotent(said, method, key),
      oneShot: oneShot !== undefined,
      signal: emitter === undefined ? signalOf(own) : emitter.signal,
      judge: oneShot === undefined && match === undefined ? this.#judge : (result) => judge(result, oneShot, balancer),
      accepts: isData,
      discard,
    });
    const quiet =
      options.onInfo === undefined
        ? run
        : (attempt: Attempt) => this.#attempt(attempt, path, method, unheard(options), propagate, undefined, limit);
    const answer = match === undefined ? balancer.call(run, callIs) : match.call(run, callIs, quiet);
    emitter?.stopAfter(answer);
    if (oneShot !== undefined) answer.catch((error: unknown) => oneShot.dispose(error));
    return answer;
  }

  #attempt(
    attempt: Attempt,
    path: string,
    method: Dispatcher.HttpMethod,
    options: Options,
    propagate: boolean,
    oneShot: OneShot | undefined,
    limit: ByteLimit | undefined,
  ): Promise<Data> {
    const { route, pool } = this.#pools.of(attempt);
    // Aborts come through the attempt: a signal of undici's own would cost a microsecond.
    const sent = route.address<Options & { method: Dispatcher.HttpMethod }>(
      { ...options, method, signal: null },
      path,
      attempt.balancer.settings.bodyIdleTimeoutMs,
      attempt.remainingMs,
    );
    if (propagate) sent.headers = withHeaders(sent.headers, attemptHeaders(attempt));
    if (oneShot !== undefined) sent.body = oneShot.open() as Readable;
    const stream = oneShot instanceof OneShotReadable ? oneShot : undefined;
    const meter = limit === undefined ? undefined : new BodyMeter(limit);
    return new RequestExchange(attempt, pool, sent, stream, meter).send();
  }
}

/** undici's default. */
function methodOf({ method, body }: Options): Dispatcher.HttpMethod {
  return method ?? (body === undefined || body === null ? "GET" : "PUT");
}

/** With the headers in a form that lasts, and the call's Idempotency-Key among them. */
function withKey(own: Options, headers: Options["headers"], key: string | undefined): Options {
  if (key !== undefined) return { ...own, headers: withHeaders(headers, { [IDEMPOTENCY_KEY]: key }) };
  return headers === own.headers ? own : { ...own, headers: headers ?? null };
}

function signalOf({ signal }: Options): AbortSignal | undefined {
  return (signal ?? undefined) as AbortSignal | undefined;
}

type OneShot = OneShotBody | OneShotReadable;

function routable(method: string, origin: string, path: string, headers: Options["headers"]): RoutableRequest {
  return new Routable(method, hostOf(origin), path, headers, givenHeader);
}

/** For a request of which the caller is told nothing. */
function unheard(options: Options): Options {
  return { ...options, onInfo: () => {} };
}

function judge(result: AttemptResult, oneShot: OneShot | undefined, balancer: Balancer): Report {
  if (!result.failed) return judgeAnswer(result.value as Data, balancer);
  if (oneShot?.failed === true) return { outcome: "ignored" };
  const report = judgeError(result);
  // What was read can't be sent again, though it went nowhere.
  return report.outcome === "unreached" && oneShot?.consumed === true ? { ...report, outcome: "failure" } : report;
}

function judgeAnswer({ statusCode, headers }: Data, { clock, settings }: Balancer): Report {
  const report = judgeStatus(statusCode, statusCode < 400 ? undefined : headerOf(headers, "retry-after"), clock);
  const { reports } = settings.strategy;
  return reports === undefined ? report : withLoad(report, headerOf(headers, reports.header));
}

function elsewhere(url: string | URL | UrlObject, { ...options }: Options): Promise<Data> {
  delete options.fairlead;
  return plainRequest(url, options as Parameters<typeof plainRequest<unknown>>[1]);
}

function oneShotOf(body: unknown): OneShot | undefined {
  if (body instanceof Readable) return new OneShotReadable(body);
  return isSentOnce(body) ? new OneShotBody(body) : undefined;
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
