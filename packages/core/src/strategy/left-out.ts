import type { Backend } from "../backend.ts";
import type { PickRequest } from "./strategy.ts";

/** Nobody stays without a call for longer than this *and* `CALLS_PER_BACKEND` calls per backend. */
const LEFT_OUT_MS = 30_000;
/**
 * A shorter rule would put slow backends into the tail of callers with a low rate. Detection takes up to one more call
 * per backend, so that after 101·n calls everybody has had one (the liveness bound).
 */
const CALLS_PER_BACKEND = 100;

/** When a backend was last picked, in time and in calls. Kept by backend, across views. */
export class Standing {
  /** For strategies that share out by credit; a fraction from the start keeps it an unboxed double. */
  credit = 0.5;
  pickedAtMs = 0;
  pickedAtCall = 0;
}

/** Keeps the standings of the backends that a strategy has seen. */
export class Standings {
  readonly #byBackend = new WeakMap<Backend, Standing>();
  /** Calls since the strategy began. */
  calls = 0;

  of(backend: Backend, make: () => Standing): Standing {
    let standing = this.#byBackend.get(backend);
    if (standing === undefined) {
      standing = make();
      standing.pickedAtCall = this.calls;
      this.#byBackend.set(backend, standing);
    }
    return standing;
  }
}

/** Finds, one look per call, the backends that a cost-driven strategy has not picked for long. */
export class LeftOut {
  readonly #standings: Standings;
  readonly #backends: readonly Backend[];
  readonly #members: readonly Standing[];
  #cursor = 0;
  #started = false;

  constructor(standings: Standings, backends: readonly Backend[], members: readonly Standing[]) {
    this.#standings = standings;
    this.#backends = backends;
    this.#members = members;
  }

  /** Counts the call and returns the index of a backend that must have it, or −1. */
  next(request: PickRequest, nowMs: number): number {
    if (!this.#started) this.#start(nowMs);
    const calls = ++this.#standings.calls;
    const index = this.#cursor;
    this.#cursor = index + 1 === this.#members.length ? 0 : index + 1;
    const standing = this.#members[index];
    if (standing === undefined || nowMs - standing.pickedAtMs < LEFT_OUT_MS) return -1;
    // A call that may be repeated elsewhere is the better probe: it may come one round of looks earlier.
    const roundsSpared = request.replayable === true ? 1 : 0;
    if (calls - standing.pickedAtCall < (CALLS_PER_BACKEND - roundsSpared) * this.#members.length) return -1;
    return this.#backends[index]?.admits(request, nowMs) === true ? index : -1;
  }

  picked(index: number, nowMs: number): void {
    const standing = this.#members[index];
    if (standing === undefined) return;
    standing.pickedAtMs = nowMs;
    standing.pickedAtCall = this.#standings.calls;
  }

  /** Time counts from the first pick for those that were never picked. */
  #start(nowMs: number): void {
    this.#started = true;
    for (const standing of this.#members) standing.pickedAtMs ||= nowMs;
  }
}
