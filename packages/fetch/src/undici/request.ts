import { Readable } from "node:stream";
import type { UrlObject } from "node:url";
import type { Attempt, AttemptResult, Balancer, Report, Target } from "@fairlead/core";
import { type Dispatcher, type Pool, request as plainRequest } from "undici";
import { isOneShot, OneShotBody } from "../body.ts";
import { CallPolicy, callOptions } from "../call-policy.ts";
import { judgeError, judgeStatus, withLoad } from "../classify.ts";
import { Destinations } from "../destination.ts";
import { IDEMPOTENCY_KEY } from "../idempotency-key.ts";
import { type ClientOptions, checkClientOptions, checkInit, type FairleadInit } from "../options.ts";
import { attemptHeaders } from "../propagation.ts";
import { BodyMeter, type ByteLimit, byteLimit, refuseLongBody } from "../request-bytes.ts";
import { hostOf, Routable } from "../routable.ts";
import { logicalUrl } from "../target.ts";
import { givenHeader, headerOf, lastingHeaders, withHeaders } from "./headers.ts";
import { OneShotReadable } from "./one-shot-readable.ts";
import { poolsOf } from "./pools.ts";
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
  const client = new RequestClient(new Destinations(target), pool, new CallPolicy(calls));
  return ((url, own) => client.request(url, own)) as BalancedRequest;
}

class RequestClient {
  readonly #destinations: Destinations;
  readonly #pool: Pool.Options | undefined;
  readonly #policy: CallPolicy;

  constructor(destinations: Destinations, pool: Pool.Options | undefined, policy: CallPolicy) {
    this.#destinations = destinations;
    this.#pool = pool;
    this.#policy = policy;
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
    const { body, fairlead } = own;
    if (fairlead !== undefined) checkInit(fairlead);
    const method = methodOf(own);
    const headers = lastingHeaders(own.headers);
    const asked = this.#looks
      ? new Routable(method, hostOf(origin), path, (name) => givenHeader(headers, name))
      : undefined;
    const match = asked && this.#destinations.match(asked);
    const balancer = (match?.balancer ?? this.#destinations.balancer) as Balancer;
    const said = this.#policy.of(fairlead, match, asked, balancer);
    const key = this.#policy.keyOf(said, method, () => givenHeader(headers, IDEMPOTENCY_KEY));
    const sent = key === undefined ? headers : withHeaders(headers, { [IDEMPOTENCY_KEY]: key });
    const limit = byteLimit(balancer, said?.maxRequestBytes);
    refuseLongBody(limit, headers, body);
    const outgoing: OutgoingRequest = {
      path: match?.path ?? path,
      method,
      options: sent === own.headers ? own : { ...own, headers: sent ?? null },
      propagate: said?.propagate === true,
      oneShot: oneShotOf(body),
      limit,
    };
    return this.#run(outgoing, match ?? balancer, balancer, said, this.#policy.isIdempotent(said, method, key));
  }

  #run(
    outgoing: OutgoingRequest,
    caller: Pick<Balancer, "call">,
    balancer: Balancer,
    said: FairleadInit | undefined,
    isIdempotent: boolean,
  ): Promise<Data> {
    const { oneShot, options } = outgoing;
    const answer = caller.call<Data>(
      (attempt) => this.#attempt(attempt, outgoing),
      callOptions<Data>(
        said,
        oneShot === undefined && isIdempotent,
        oneShot !== undefined,
        abortSignalOf(options.signal),
        (result) => judge(result, oneShot, balancer),
        isData,
        discard,
      ),
    );
    if (oneShot !== undefined) answer.catch((error: unknown) => oneShot.dispose(error));
    return answer;
  }

  #attempt(attempt: Attempt, { path, method, options, propagate, oneShot, limit }: OutgoingRequest): Promise<Data> {
    const { backend, balancer, remainingMs } = attempt;
    const { route, pool } = poolsOf(balancer, this.#pool).of(backend);
    // Aborts come through the attempt: a signal of undici's own would cost a microsecond.
    const sent = route.address<Options & { method: Dispatcher.HttpMethod }>(
      { ...options, method, signal: null },
      path,
      balancer.settings.bodyIdleTimeoutMs,
      remainingMs,
    );
    if (propagate) sent.headers = withHeaders(sent.headers, attemptHeaders(attempt));
    if (oneShot !== undefined) sent.body = oneShot.open() as Readable;
    const stream = oneShot instanceof OneShotReadable ? oneShot : undefined;
    const meter = limit === undefined ? undefined : new BodyMeter(limit);
    return new RequestExchange(attempt, pool, sent, stream, meter).send();
  }

  /** Somebody has to see each request. */
  get #looks(): boolean {
    return this.#destinations.balancer === undefined || this.#policy.looks;
  }
}

/** undici's default. */
function methodOf({ method, body }: Options): Dispatcher.HttpMethod {
  return method ?? (body === undefined || body === null ? "GET" : "PUT");
}

type OneShot = OneShotBody | OneShotReadable;

/** A request in undici's terms, to be sent as often as it takes. */
interface OutgoingRequest {
  readonly path: string;
  readonly method: Dispatcher.HttpMethod;
  readonly options: Options;
  readonly propagate: boolean;
  readonly oneShot: OneShot | undefined;
  readonly limit: ByteLimit | undefined;
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
