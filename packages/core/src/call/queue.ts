import type { Clock, Timer } from "../clock.ts";
import { FairleadError } from "../errors.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { ActiveLease } from "./lease.ts";

/** What opens by time alone (a pause, a user's breaker) is noticed this late at most. */
const RECHECK_MS = 25;

interface Waiter {
  readonly request: PickRequest;
  readonly serve: (lease: ActiveLease) => void;
  readonly fail: (error: unknown) => void;
}

/** Calls for which no backend is free now, first come first served. A pinned one never holds up those behind it. */
export class WaitingQueue {
  readonly #waiters = new Set<Waiter>();
  readonly #clock: Clock;
  readonly #tryLease: (request: PickRequest) => ActiveLease | undefined;
  readonly #hopeless: (request: PickRequest) => FairleadError | undefined;
  readonly #onOccupied: (occupied: boolean) => void;
  #recheck: Timer | undefined;
  #serving = false;
  #unpinned = 0;

  constructor(
    clock: Clock,
    tryLease: (request: PickRequest) => ActiveLease | undefined,
    hopeless: (request: PickRequest) => FairleadError | undefined,
    onOccupied: (occupied: boolean) => void,
  ) {
    this.#clock = clock;
    this.#tryLease = tryLease;
    this.#hopeless = hopeless;
    this.#onOccupied = onOccupied;
  }

  get length(): number {
    return this.#waiters.size;
  }

  /** Whether somebody waits for any backend at all: a newcomer comes after them. */
  get contended(): boolean {
    return this.#unpinned > 0;
  }

  /** Waits for a lease. Rejects after `timeoutMs` with what `onTimeout` makes. Returns how to leave the queue. */
  wait(
    request: PickRequest,
    timeoutMs: number,
    serve: (lease: ActiveLease) => void,
    fail: (error: unknown) => void,
    onTimeout: () => unknown,
  ): () => void {
    let timer: Timer | undefined;
    const leave = (): void => {
      timer?.cancel();
      if (!this.#waiters.delete(waiter)) return;
      if (request.pinned === undefined) this.#unpinned--;
      if (this.#waiters.size === 0) this.#stop();
    };
    const waiter: Waiter = {
      request,
      serve: (lease) => {
        leave();
        serve(lease);
      },
      fail: (error) => {
        leave();
        fail(error);
      },
    };
    if (this.#waiters.size === 0) this.#onOccupied(true);
    this.#waiters.add(waiter);
    if (request.pinned === undefined) this.#unpinned++;
    if (timeoutMs !== Number.POSITIVE_INFINITY) timer = this.#clock.schedule(timeoutMs, () => waiter.fail(onTimeout()));
    this.#scheduleRecheck();
    return leave;
  }

  /** Something may have opened. */
  serve(): void {
    if (this.#waiters.size === 0 || this.#serving) return;
    this.#serving = true;
    try {
      for (const waiter of this.#waiters) {
        const lease = this.#tryLease(waiter.request);
        const hopeless = lease === undefined ? this.#hopeless(waiter.request) : undefined;
        if (lease !== undefined) waiter.serve(lease);
        else if (hopeless !== undefined) waiter.fail(hopeless);
        else if (waiter.request.pinned === undefined) break;
      }
    } finally {
      this.#serving = false;
    }
  }

  failAll(error: () => FairleadError): void {
    for (const waiter of this.#waiters) waiter.fail(error());
  }

  #scheduleRecheck(): void {
    this.#recheck ??= this.#clock.schedule(RECHECK_MS, () => {
      this.#recheck = undefined;
      this.serve();
      if (this.#waiters.size > 0) this.#scheduleRecheck();
    });
  }

  #stop(): void {
    this.#onOccupied(false);
    this.#recheck?.cancel();
    this.#recheck = undefined;
  }
}
