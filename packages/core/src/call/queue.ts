import type { RequestKind } from "../backend.ts";
import type { Clock, Timer } from "../clock.ts";
import type { FairleadError } from "../errors.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { ActiveLease } from "./lease.ts";

/** What opens by time alone (a pause, a user's breaker) is noticed this late at most. */
const RECHECK_MS = 25;

/** Who gives leases: a balancer, derived or not. */
export interface LeaseGiver {
  leaseForWaiter(request: PickRequest, nowMs: number): ActiveLease | undefined;
  /** The error of a request for which waiting on is pointless. */
  hopeless(request: PickRequest): FairleadError | undefined;
  /** Requests of a kind with the same answer, an object or a text, can be served by the same backends. */
  lineOf(request: PickRequest): unknown;
}

/** Those who wait for the same: the first of them stands for all. */
interface Line {
  readonly giver: LeaseGiver;
  readonly kind: RequestKind;
  readonly of: unknown;
  length: number;
  /** The last round in which nobody took its first. */
  refusedIn: number;
}

interface Waiter {
  readonly request: PickRequest;
  readonly line: Line;
  readonly giveUpAtMs: number;
  readonly serve: (lease: ActiveLease) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * The calls of an upstream for which no backend is free now, those of derived balancers included: first come, first
 * served. Only one that waits for something else is passed by: another kind, subset or pinned backend.
 *
 * Where a timer belongs to the request that made it, nobody can serve another: there each looks for itself again and
 * again, and who comes first does not count. A request may be gone without a word, so nobody waits for it either.
 */
export class WaitingQueue {
  /** In the order of their coming. */
  readonly #waiters = new Set<Waiter>();
  readonly #lines = new Set<Line>();
  readonly #clock: Clock;
  /** Each waiter looks for itself. */
  readonly #alone: boolean;
  #recheck: Timer | undefined;
  #serving = false;
  /** Something opened while others were being served. */
  #serveAgain = false;
  #round = 0;
  #refusedLines = 0;
  #unpinned = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#alone = clock.background === false;
  }

  get length(): number {
    return this.#waiters.size;
  }

  /** How many of the calls are those of one balancer. */
  lengthOf(giver: LeaseGiver): number {
    let length = 0;
    for (const line of this.#lines) if (line.giver === giver) length += line.length;
    return length;
  }

  /** Whether a newcomer has to come after others. Whoever can be served is, before the answer. */
  holdsUp(giver: LeaseGiver, request: PickRequest): boolean {
    if (this.#waiters.size === 0) return false;
    if (this.#alone) {
      this.#forgetGone();
      return false;
    }
    // One that waits for its own backend is told when that is free: a newcomer takes nothing away from it.
    if (this.#unpinned > 0 || this.#find(giver, request) !== undefined) this.serve();
    return this.#find(giver, request) !== undefined;
  }

  /** Waits for a lease. Rejects after `timeoutMs` with what `onTimeout` makes. Returns how to leave the queue. */
  wait(
    giver: LeaseGiver,
    request: PickRequest,
    timeoutMs: number,
    serve: (lease: ActiveLease) => void,
    fail: (error: unknown) => void,
    onTimeout: () => unknown,
  ): () => void {
    let timer: Timer | undefined;
    let nextLook: Timer | undefined;
    const leave = (): void => {
      timer?.cancel();
      nextLook?.cancel();
      this.#remove(waiter);
    };
    const waiter: Waiter = {
      request,
      line: this.#lineOf(giver, request),
      giveUpAtMs: this.#clock.now() + timeoutMs,
      serve: (lease) => {
        leave();
        serve(lease);
      },
      fail: (error) => {
        leave();
        fail(error);
      },
    };
    this.#waiters.add(waiter);
    waiter.line.length++;
    if (request.pinned === undefined) this.#unpinned++;
    if (timeoutMs !== Number.POSITIVE_INFINITY) timer = this.#clock.schedule(timeoutMs, () => waiter.fail(onTimeout()));
    const lookLater = (): void => {
      nextLook = this.#clock.schedule(RECHECK_MS, () => {
        if (this.#waiters.has(waiter) && this.#look(waiter) === "refused") lookLater();
      });
    };
    if (this.#alone) lookLater();
    else this.#scheduleRecheck();
    return leave;
  }

  /** Something may have opened. */
  serve(): void {
    if (this.#waiters.size === 0 || this.#alone) return;
    if (this.#serving) {
      this.#serveAgain = true;
      return;
    }
    this.#serving = true;
    try {
      // Each round makes the queue shorter; a breaker or strategy that calls back without end must not keep it going.
      while (this.#serveRound() && this.#serveAgain);
    } finally {
      this.#serving = false;
    }
  }

  /** Whether anybody was served. */
  #serveRound(): boolean {
    let served = false;
    this.#serveAgain = false;
    this.#round++;
    this.#refusedLines = 0;
    for (const waiter of this.#waiters) {
      const { line } = waiter;
      if (line.refusedIn === this.#round) continue;
      const answer = this.#look(waiter);
      if (answer === "served") served = true;
      else if (answer === "refused") {
        line.refusedIn = this.#round;
        this.#refusedLines++;
      }
      if (this.#refusedLines >= this.#lines.size) break;
    }
    return served;
  }

  #look({ line, request, serve, fail }: Waiter): "served" | "failed" | "refused" {
    const lease = line.giver.leaseForWaiter(request, this.#clock.now());
    const hopeless = lease === undefined ? line.giver.hopeless(request) : undefined;
    if (lease !== undefined) serve(lease);
    else if (hopeless !== undefined) fail(hopeless);
    else return "refused";
    return lease === undefined ? "failed" : "served";
  }

  /** The timer that should have ended their wait has gone with their request. */
  #forgetGone(): void {
    const nowMs = this.#clock.now();
    for (const waiter of this.#waiters) if (nowMs > waiter.giveUpAtMs + RECHECK_MS) this.#remove(waiter);
  }

  /** Ends the wait of everybody, or of the calls of one balancer. */
  failAll(error: () => unknown, giver?: LeaseGiver): void {
    for (const { line, fail } of this.#waiters) if (giver === undefined || line.giver === giver) fail(error());
  }

  #find(giver: LeaseGiver, request: PickRequest): Line | undefined {
    const of = giver.lineOf(request);
    const { kind = "request" } = request;
    for (const line of this.#lines) if (line.of === of && line.kind === kind && line.giver === giver) return line;
    return undefined;
  }

  #lineOf(giver: LeaseGiver, request: PickRequest): Line {
    const known = this.#find(giver, request);
    if (known !== undefined) return known;
    const { kind = "request" } = request;
    const line = { giver, kind, of: giver.lineOf(request), length: 0, refusedIn: 0 };
    this.#lines.add(line);
    return line;
  }

  #remove(waiter: Waiter): void {
    if (!this.#waiters.delete(waiter)) return;
    const { line, request } = waiter;
    if (request.pinned === undefined) this.#unpinned--;
    if (--line.length > 0) return;
    this.#lines.delete(line);
    if (line.refusedIn === this.#round) this.#refusedLines--;
    if (this.#waiters.size > 0) return;
    this.#recheck?.cancel();
    this.#recheck = undefined;
  }

  #scheduleRecheck(): void {
    this.#recheck ??= this.#clock.schedule(RECHECK_MS, () => {
      this.#recheck = undefined;
      this.serve();
      if (this.#waiters.size > 0) this.#scheduleRecheck();
    });
  }
}
