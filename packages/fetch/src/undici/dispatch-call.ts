import type { IncomingHttpHeaders } from "node:http";
import type { Attempt, AttemptResult, Balancer, Report, RouteMatch } from "@fairlead/core";
import { errors } from "undici";
import { alreadyRead } from "../body.ts";
import { type CallPolicy, callOptions } from "../call-policy.ts";
import { blameNobody, judgeError } from "../classify.ts";
import { IDEMPOTENCY_KEY } from "../idempotency-key.ts";
import type { FairleadInit } from "../options.ts";
import { attemptHeaders } from "../propagation.ts";
import { type ByteLimit, byteLimit, refuseLongBody } from "../request-bytes.ts";
import type { AddressedRequest } from "./address.ts";
import { CallEnd } from "./call-end.ts";
import { DispatchAttempt } from "./dispatch-attempt.ts";
import { DispatchBody } from "./dispatch-body.ts";
import type { Controller, DispatchOptions, Handler } from "./handler.ts";
import { givenHeader, withHeaders } from "./headers.ts";
import { isSentOnce } from "./one-shot.ts";
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
  readonly controller: StableController = new StableController((reason) => this.#end(reason));
  /** Whether an attempt that may have been processed can be made again. */
  readonly repeatable: boolean;
  readonly limit: ByteLimit | undefined;
  /** What has decided where it goes, if a router has. */
  readonly match: RouteMatch | undefined;
  readonly #policy: CallPolicy;
  readonly #said: FairleadInit | undefined;
  readonly #options: DispatchOptions;
  /** One that can be sent once; others stay among the options. */
  readonly #body: DispatchBody | undefined;
  readonly #hopTo: (attempt: Attempt) => Hop;
  readonly #onDone: () => void;
  readonly #caller = new CallEnd();
  /** The attempt that the caller hears of: the newest, until one answers. */
  #heard: DispatchAttempt | undefined = undefined;
  #announced = false;
  #answered = false;
  #done = false;

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
    const { method, headers } = options;
    this.limit = byteLimit(balancer, said?.maxRequestBytes);
    refuseLongBody(this.limit, headers, options.body);
    const key = policy.keyOf(said, method, headers, givenHeader);
    this.#said = said;
    const { body } = options;
    this.#body = isSentOnce(body) ? new DispatchBody(body, (error) => this.#end(error)) : undefined;
    this.#options = withKey(this.#body === undefined ? options : { ...options, body: this.#body.value }, key);
    this.repeatable = this.#body === undefined && (options.idempotent ?? policy.isIdempotent(said, method, key));
  }

  /** For the backend. */
  get path(): string {
    return this.#options.path;
  }

  /** Somebody else has a say on every answer, and is asked when the core asks. */
  isJudgedBy({ settings }: Balancer): boolean {
    return this.#said?.classify !== undefined || settings.classify !== undefined;
  }

  start(): void {
    const options = callOptions<DispatchAttempt>(this.#said, {
      kind: upgrades(this.#options) ? "connection" : undefined,
      idempotent: this.repeatable,
      oneShot: this.#body !== undefined,
      signal: this.#caller,
      judge: (result) => this.#judge(result),
      accepts: isAnswer,
      discard,
    });
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

  /** The request of an attempt begins: the handler is told once. */
  announce(attempt: DispatchAttempt, controller: Controller, context: unknown): void {
    if (this.#body !== undefined) this.#body.consumed = true;
    if (!this.#answered) this.#hear(attempt, controller);
    if (this.#announced) return;
    this.#announced = true;
    try {
      this.handler.onRequestStart?.(this.controller, context);
    } catch (error) {
      blameNobody(error);
      throw error;
    }
  }

  /** An attempt's answer goes to the caller, unless another's did before: a rival in a hedge may go on. */
  answer(attempt: DispatchAttempt, controller: Controller): boolean {
    if (this.#answered) return false;
    this.#answered = true;
    this.#hear(attempt, controller);
    return true;
  }

  hears(attempt: DispatchAttempt): boolean {
    return this.#heard === attempt;
  }

  /** The answer has ended. */
  succeed(trailers: IncomingHttpHeaders): void {
    this.finish();
    try {
      this.handler.onResponseEnd?.(this.controller, trailers);
    } catch (error) {
      // As undici does.
      this.handler.onResponseError?.(this.controller, error as Error);
    }
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
    this.#body?.dispose();
    this.#onDone();
  }

  #hear(attempt: DispatchAttempt, controller: Controller): void {
    this.#heard = attempt;
    this.controller.follow(controller);
  }

  /** The caller has enough, or its body has failed. */
  #end(given: Error | undefined): void {
    if (this.#done) return;
    const reason = given ?? new errors.RequestAbortedError();
    this.#caller.abort(reason);
    this.fail(reason);
  }

  #attempt(attempt: Attempt): Promise<DispatchAttempt> {
    return new Promise((resolve, reject) => {
      if (this.#body?.consumed === true) throw alreadyRead();
      const { route, pool } = this.#hopTo(attempt);
      const handler = new DispatchAttempt(this, attempt, route, resolve, reject);
      attempt.markSent(false);
      attempt.onAbort((reason) => handler.giveUp(reason));
      const { bodyIdleTimeoutMs } = attempt.balancer.settings;
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
    return report.outcome === "unreached" && this.#body?.consumed === true ? { ...report, outcome: "failure" } : report;
  }
}

function isAnswer(value: unknown): boolean {
  return value instanceof DispatchAttempt;
}

function discard(unwanted: DispatchAttempt): void {
  unwanted.discard();
}

function withKey(options: DispatchOptions, key: string | undefined): DispatchOptions {
  return key === undefined
    ? options
    : { ...options, headers: withHeaders(options.headers, { [IDEMPOTENCY_KEY]: key }) };
}

function upgrades({ upgrade }: DispatchOptions): boolean {
  return upgrade !== undefined && upgrade !== null && upgrade !== false;
}
