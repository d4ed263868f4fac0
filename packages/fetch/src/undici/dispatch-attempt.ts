import type { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import type { Attempt, Report } from "@fairlead/core";
import { blameNobody, judgeStatus, withLoad } from "../classify.ts";
import { BodyMeter } from "../request-bytes.ts";
import { streamFailure } from "../response.ts";
import type { Place, WaitingHandler } from "./connections/waiting-line.ts";
import type { DispatchCall } from "./dispatch-call.ts";
import type { Controller } from "./handler.ts";
import { headerOf } from "./headers.ts";
import { showLogicalLocation } from "./logical-location.ts";
import type { Route } from "./route.ts";

/** Up to here, in bytes, an unwanted answer is read to its end, so that its connection can serve again. */
const DRAIN_LIMIT = 64 * 1024;

/**
 * Where an attempt is.
 *
 * - `waiting`: no headers yet.
 * - `held`: headers that may not be the answer; what follows them is kept.
 * - `passing`: this is the answer, and everything goes to the caller.
 * - `unwanted`: another attempt replaces it, or nobody waits for it.
 */
type State = "waiting" | "held" | "passing" | "unwanted";

/** One attempt of a dispatch, as its request's handler. */
export class DispatchAttempt implements WaitingHandler {
  readonly #call: DispatchCall;
  readonly #attempt: Attempt;
  readonly #route: Route;
  readonly #resolve: (answer: DispatchAttempt) => void;
  readonly #reject: (error: unknown) => void;
  readonly #meter: BodyMeter | undefined;
  #state: State = "waiting";
  #controller: Controller | undefined = undefined;
  #place: Place | undefined = undefined;
  #release: ((late?: Report) => void) | undefined = undefined;
  #givenUp: { readonly reason: unknown } | undefined = undefined;
  /** What came while the headers were held, in its order. */
  #kept: (() => void)[] = [];
  #drained = 0;
  #handlerThrew = false;
  /** What the classifiers of the balancer see of the answer. */
  statusCode = 0;
  headers: IncomingHttpHeaders = {};
  report: Report = { outcome: "success" };

  constructor(
    call: DispatchCall,
    attempt: Attempt,
    route: Route,
    resolve: (answer: DispatchAttempt) => void,
    reject: (error: unknown) => void,
  ) {
    this.#call = call;
    this.#attempt = attempt;
    this.#route = route;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#meter = call.limit === undefined ? undefined : new BodyMeter(call.limit);
  }

  // What the call decides

  /** This is the answer: the caller gets what was held back. */
  deliver(): void {
    const controller = this.#controller;
    if (this.#state !== "held" || controller === undefined || !this.#call.answer(this, controller)) return;
    this.#state = "passing";
    const kept = this.#kept;
    this.#kept = [];
    try {
      for (const event of kept) this.#tell(event);
      if (!this.#call.controller.paused) controller.resume();
    } catch (error) {
      // As undici does with handlers that throw; without effect if the answer has ended.
      controller.abort(error as Error);
      this.#call.fail(error as Error);
    }
  }

  /** Another attempt replaces it. */
  discard(): void {
    this.#state = "unwanted";
    this.#kept = [];
    this.#controller?.resume();
  }

  /** The core no longer waits for it, or the balancer closes while the body streams. */
  giveUp(reason: unknown): void {
    this.#givenUp = { reason };
    if (this.#state !== "passing") this.discard();
    this.#controller?.abort(reason as Error);
    this.#place?.leave(reason);
  }

  // What becomes of the request

  onWaiting(place: Place): void {
    if (this.#givenUp === undefined) this.#place = place;
    else place.leave(this.#givenUp.reason);
  }

  onRequestStart(controller: Controller, context: unknown): void {
    if (this.#givenUp !== undefined) {
      controller.abort(this.#givenUp.reason as Error);
      return;
    }
    this.#controller = controller;
    this.#attempt.markSent();
    this.#call.announce(this, controller, context);
  }

  onRequestUpgrade(controller: Controller, statusCode: number, headers: IncomingHttpHeaders, socket: Duplex): void {
    const release = this.#attempt.hold();
    socket.once("close", () => release());
    this.#resolve(this);
    if (!this.#call.answer(this, controller)) {
      socket.destroy();
      return;
    }
    this.#state = "passing";
    this.#call.finish();
    this.#call.handler.onRequestUpgrade?.(this.#call.controller, statusCode, headers, socket);
  }

  onResponseStarted(): void {
    const { handler } = this.#call;
    if (handler.onResponseStarted !== undefined && this.#isHeard) this.#tell(() => handler.onResponseStarted?.());
  }

  onResponseStart(controller: Controller, statusCode: number, headers: IncomingHttpHeaders, statusText?: string): void {
    if (this.#state === "unwanted") return;
    const { handler, controller: stable } = this.#call;
    const pass = (): void => handler.onResponseStart?.(stable, statusCode, headers, statusText);
    if (statusCode < 200) {
      if (this.#isHeard) this.#tell(pass);
      return;
    }
    showLogicalLocation(controller, statusCode, headers, this.#route, this.#call);
    this.#release = this.#attempt.hold();
    this.statusCode = statusCode;
    this.headers = headers;
    this.report = this.#judge(statusCode, headers);
    this.#resolve(this);
    if (this.#mayBeRepeated() || !this.#call.answer(this, controller)) {
      this.#state = "held";
      this.#kept.push(pass);
      controller.pause();
    } else {
      this.#state = "passing";
      this.#tell(pass);
    }
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#state === "unwanted") this.#drain(controller, chunk.byteLength);
    else this.#pass(() => this.#call.handler.onResponseData?.(this.#call.controller, chunk));
  }

  onResponseEnd(_controller: Controller, trailers: IncomingHttpHeaders): void {
    this.#release?.();
    this.#pass(() => this.#call.succeed(trailers));
  }

  onResponseError(controller: Controller | null, error: Error): void {
    // An abort is the caller's doing, and so is what its handler throws.
    const isCallers = controller?.aborted === true || this.#handlerThrew;
    this.#release?.(isCallers ? undefined : streamFailure(error));
    if (this.#handlerThrew) this.#call.fail(error);
    else this.#pass(() => this.#call.fail(error));
    // Without effect if there were headers.
    this.#reject(error);
  }

  onBodySent(chunk: Buffer): void {
    const tooLong = this.#meter?.count(chunk);
    if (tooLong !== undefined) this.#controller?.abort(tooLong);
    else if (this.#isHeard) this.#tell(() => this.#call.handler.onBodySent?.(chunk));
  }

  onRequestSent(): void {
    const { handler } = this.#call;
    if (handler.onRequestSent !== undefined && this.#isHeard) this.#tell(() => handler.onRequestSent?.());
  }

  // Small things

  get #isHeard(): boolean {
    return this.#state !== "unwanted" && this.#call.hears(this);
  }

  #pass(event: () => void): void {
    if (this.#state === "passing") this.#tell(event);
    else if (this.#state === "held") this.#kept.push(event);
  }

  /** undici ends the request of a handler that throws. */
  #tell(event: () => void): void {
    try {
      event();
    } catch (error) {
      this.#handlerThrew = true;
      blameNobody(error);
      throw error;
    }
  }

  #drain(controller: Controller, bytes: number): void {
    this.#drained += bytes;
    if (this.#drained > DRAIN_LIMIT) controller.abort(new Error("an unwanted answer is too long to be read"));
  }

  #judge(statusCode: number, headers: IncomingHttpHeaders): Report {
    const { clock, settings } = this.#attempt.balancer;
    const report = judgeStatus(statusCode, headerOf(headers, "retry-after"), clock);
    const { reports } = settings.strategy;
    return reports === undefined ? report : withLoad(report, headerOf(headers, reports.header));
  }

  /** A classifier has its say when the core asks it: until then nothing is known. */
  #mayBeRepeated(): boolean {
    return (
      this.#call.isJudgedBy(this.#attempt.balancer) || (this.#call.repeatable && this.report.outcome !== "success")
    );
  }
}
