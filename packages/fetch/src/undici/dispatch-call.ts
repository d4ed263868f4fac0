import type { Attempt, AttemptResult, Balancer, CallOptions, Report, RouteMatch } from "@fairlead/core";
import { alreadyRead } from "../body.ts";
import { type CallPolicy, callOptions } from "../call-policy.ts";
import { judgeError } from "../classify.ts";
import { IDEMPOTENCY_KEY } from "../idempotency-key.ts";
import type { FairleadInit } from "../options.ts";
import { attemptHeaders } from "../propagation.ts";
import { type ByteLimit, byteLimit, refuseLongBody } from "../request-bytes.ts";
import type { AddressedRequest } from "./address.ts";
import { DispatchAttempt } from "./dispatch-attempt.ts";
import type { DispatchOptions, Handler } from "./handler.ts";
import { givenHeader, withHeaders } from "./headers.ts";
import type { Route } from "./route.ts";
import { StableController } from "./stable-controller.ts";

/** The way to a backend, and what takes requests along it. */
export interface Hop {
  readonly route: Route;
  readonly pool: { dispatch(options: DispatchOptions, handler: Handler): unknown };
}

/** One dispatch through a balancer: as many attempts as it takes, of which the handler sees one. */
export class DispatchCall {
  readonly balancer: Balancer;
  readonly handler: Handler;
  /** What the caller takes for the origin. */
  readonly origin: string;
  readonly controller: StableController = new StableController((reason) => this.#abortedByCaller(reason));
  /** Whether an attempt that may have been processed can be made again. */
  readonly repeatable: boolean;
  readonly limit: ByteLimit | undefined;
  readonly #policy: CallPolicy;
  readonly match: RouteMatch | undefined;
  readonly #said: FairleadInit | undefined;
  readonly #options: DispatchOptions;
  readonly #hopTo: (attempt: Attempt) => Hop;
  readonly #onDone: () => void;
  readonly #abort = new AbortController();
  #announced = false;
  #done = false;
  /** The body can be sent once, and was. */
  #consumed = false;

  /**
   * @throws what a function for its Idempotency-Key throws; FairleadError `FAIRLEAD_ERR_LIMIT` if its body is known to be too
   * long
   */
  constructor(
    policy: CallPolicy,
    { balancer, match, said, origin, options }: AddressedRequest,
    handler: Handler,
    hopTo: (attempt: Attempt) => Hop,
    onDone: () => void,
  ) {
    this.#policy = policy;
    this.balancer = balancer;
    this.match = match;
    this.origin = origin;
    this.handler = handler;
    this.#hopTo = hopTo;
    this.#onDone = onDone;
    const { method, body, headers } = options;
    this.limit = byteLimit(balancer, said?.maxRequestBytes);
    refuseLongBody(this.limit, headers, body);
    const key = policy.keyOf(said, method, () => givenHeader(headers, IDEMPOTENCY_KEY));
    this.#said = said;
    this.#options =
      key === undefined ? options : { ...options, headers: withHeaders(headers, { [IDEMPOTENCY_KEY]: key }) };
    this.repeatable = (options.idempotent ?? policy.isIdempotent(said, method, key)) && isReplayable(body);
  }

  /** For the backend. */
  get path(): string {
    return this.#options.path;
  }

  /** Somebody else has a say on every answer, and is asked when the core asks. */
  get isJudged(): boolean {
    return this.#said?.classify !== undefined || this.balancer.settings.classify !== undefined;
  }

  start(): void {
    const options: CallOptions<DispatchAttempt> = {
      ...callOptions<DispatchAttempt>(
        this.#said,
        this.repeatable,
        !isReplayable(this.#options.body),
        this.#abort.signal,
        (result) => this.#judge(result),
        (answer) => answer instanceof DispatchAttempt,
        (unwanted) => unwanted.discard(),
      ),
      kind: upgrades(this.#options) ? "connection" : "request",
    };
    const run = (attempt: Attempt): Promise<DispatchAttempt> => this.#attempt(attempt);
    const answer =
      this.match === undefined
        ? this.balancer.call(run, options)
        : this.match.call(run, options, (attempt) => this.#mirror(attempt));
    answer.then(
      (answered) => answered.deliver(),
      (error: Error) => this.fail(error),
    );
  }

  /** The request begins: the handler is told once. */
  announce(context: unknown): void {
    this.#consumed = !isReplayable(this.#options.body);
    if (this.#announced) return;
    this.#announced = true;
    this.handler.onRequestStart?.(this.controller, context);
  }

  /** Ends the call with an error, unless it has ended. */
  fail(error: Error): void {
    if (this.#done) return;
    this.finish();
    this.handler.onResponseError?.(this.controller, error);
  }

  finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#onDone();
  }

  #abortedByCaller(reason: Error): void {
    if (this.#done) return;
    this.#abort.abort(reason);
    this.fail(reason);
  }

  #attempt(attempt: Attempt): Promise<DispatchAttempt> {
    return new Promise((resolve, reject) => {
      if (this.#consumed) throw alreadyRead();
      const { route, pool } = this.#hopTo(attempt);
      const handler = new DispatchAttempt(this, attempt, route, resolve, reject);
      attempt.markSent(false);
      attempt.onAbort((reason) => handler.giveUp(reason));
      const { bodyIdleTimeoutMs } = this.balancer.settings;
      const sent = route.address({ ...this.#options }, this.#options.path, bodyIdleTimeoutMs, attempt.remainingMs);
      if (this.#said?.propagate === true) sent.headers = withHeaders(sent.headers, attemptHeaders(attempt));
      pool.dispatch(sent, handler);
    });
  }

  /** The same request by an attempt of which the caller hears nothing. */
  #mirror(attempt: Attempt): Promise<DispatchAttempt> {
    const { origin } = this;
    const request = { balancer: attempt.balancer, match: undefined, said: undefined, origin, options: this.#options };
    return new DispatchCall(this.#policy, request, {}, this.#hopTo, () => {}).#attempt(attempt);
  }

  #judge(result: AttemptResult): Report {
    if (!result.failed) return (result.value as DispatchAttempt).report;
    const report = judgeError(result);
    return report.outcome === "unreached" && this.#consumed ? { ...report, outcome: "failure" } : report;
  }
}

/** What a dispatcher is given is often a stream already: what else there is can be sent again. */
function isReplayable(body: unknown): boolean {
  return body === null || body === undefined || typeof body === "string" || body instanceof Uint8Array;
}

function upgrades({ upgrade }: DispatchOptions): boolean {
  return upgrade !== undefined && upgrade !== null && upgrade !== false;
}
