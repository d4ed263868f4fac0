import type { Backend, BackendSpec } from "../../backend.ts";
import { createBalancer } from "../../balancer.ts";
import type { Report } from "../../call/outcome.ts";
import type { Balancer, Lease } from "../../contract.ts";
import type { Breaker, BreakerProvider } from "../../gate/breaker.ts";
import { createRandom, type Random } from "../../random.ts";
import type { PickRequest, Strategy } from "../../strategy/strategy.ts";
import { type VirtualClock, virtualClock } from "../virtual-clock.ts";
import type { Fault, ScheduledBackend, Step } from "./schedule.ts";

const ATTEMPT_TIMEOUT_MS = 500;
/** Longest ejection, and longest pause. */
const LONGEST_MS = 2_000;
const SLOW_START_MS = 1_000;
/** A backend that has worked for this long takes calls again. */
export const AVAILABLE_AFTER_MS: number = LONGEST_MS + ATTEMPT_TIMEOUT_MS;
/** After this long it has its full weight, and strategies that call whom they have left out begin to do so. */
export const RECOVERY_MS = 30_000;

const nothing = (): void => {};

/** Backends that work and fail as they are told, behind a real balancer under a virtual clock. */
export class World {
  readonly clock: VirtualClock = virtualClock();
  readonly balancer: Balancer;
  readonly #specs: readonly (BackendSpec & { readonly id: string; readonly weight: number })[];
  readonly #faults = new Map<string, Fault>();
  readonly #closedGates = new Set<string>();
  readonly #absent = new Set<string>();
  /** Disabled, drained or weighted at run time. */
  readonly #overridden = new Set<string>();
  readonly #random: Random;
  readonly #meanMs: number[];

  constructor(strategy: Strategy, backends: readonly ScheduledBackend[], seed: number) {
    this.#random = createRandom(seed);
    this.#specs = backends.map((backend, index) => ({ url: "http://10.0.0.1", id: `b${index}`, ...backend }));
    // Some work, but slowly.
    this.#meanMs = backends.map(() => (this.#random.next() < 0.2 ? 200 : 10));
    this.balancer = createBalancer({
      name: "conformance",
      backends: this.#specs,
      strategy,
      breaker: this.#breakers(),
      clock: this.clock,
      random: createRandom(seed + 1),
      ejection: { consecutiveFailures: 3, baseMs: 200, maxMs: LONGEST_MS },
      slowStart: { windowMs: SLOW_START_MS },
      pauseLimitMs: LONGEST_MS,
    });
  }

  #breakers(): BreakerProvider {
    const create = (id: string): Breaker => ({
      state: "closed",
      admits: () => !this.#closedGates.has(id),
      enter: () => 0,
      report: nothing,
      [Symbol.dispose]: nothing,
    });
    return { name: "by hand", create: ({ backend }) => create(backend) };
  }

  /** Does what the step says; for calls, with the requests given. */
  step(step: Step, request: () => PickRequest): void {
    if (step.kind === "calls") {
      for (let call = 0; call < step.count; call++) this.call(request(), step.gapMs);
    } else if (step.kind === "only") {
      for (const [index, { id }] of this.#specs.entries()) this.#setGate(id, index === step.backend);
    } else {
      const id = this.#specs[step.backend]?.id;
      if (id !== undefined) this.#change(id, step);
    }
  }

  #change(id: string, step: Exclude<Step, { readonly kind: "calls" | "only" }>): void {
    if (step.kind === "fault") this.#faults.set(id, step.fault);
    else if (step.kind === "gate") this.#setGate(id, step.open);
    else if (step.kind === "presence") this.#setPresent(id, step.present);
    else if (!this.#absent.has(id)) this.#override(id, step);
  }

  #override(id: string, step: Extract<Step, { readonly kind: "state" | "weight" }>): void {
    this.#overridden.add(id);
    if (step.kind === "weight") this.balancer.setWeight(id, step.weight);
    else if (step.change === "drain") this.balancer.drain(id).catch(nothing);
    else this.balancer[step.change](id);
  }

  #setGate(id: string, open: boolean): void {
    if (open) this.#closedGates.delete(id);
    else this.#closedGates.add(id);
  }

  #setPresent(id: string, present: boolean): void {
    if (present) this.#absent.delete(id);
    else this.#absent.add(id);
    this.balancer.set(this.#specs.filter((spec) => !this.#absent.has(spec.id)));
  }

  /** Everybody works and is configured as at the beginning. What ejections and pauses are left must pass by themselves. */
  repair(): void {
    this.#faults.clear();
    this.#closedGates.clear();
    this.#absent.clear();
    this.balancer.set(this.#specs);
    for (const { id, weight } of this.#specs) {
      if (!this.#overridden.delete(id)) continue;
      // Also ends an ejection or pause.
      this.balancer.enable(id);
      this.balancer.setWeight(id, weight);
    }
  }

  /** A new view of the same backends: setting a weight makes one, even if it was the same before. */
  renewView(): void {
    const [spec] = this.#specs;
    if (spec !== undefined) this.balancer.setWeight(spec.id, spec.weight);
  }

  /** One call, `gapMs` after the one before; who took it. It is answered in its own time. */
  call(request: PickRequest, gapMs: number): Backend | undefined {
    this.clock.advanceSync(gapMs);
    const lease = this.balancer.tryAcquire(request);
    if (lease !== undefined) this.#answer(lease);
    return lease?.backend;
  }

  #answer(lease: Lease): void {
    const { id } = lease.backend;
    const fault = this.#faults.get(id) ?? "none";
    const [afterMs, report] = ANSWERS[fault] ?? [this.#serviceMs(id), this.#success()];
    this.clock.schedule(afterMs, () => {
      lease.settle(report);
      lease.release();
    });
  }

  /** With a load of 20 to 80 %, for strategies that go by such reports. */
  #success(): Report {
    const applicationUtilization = 0.2 + 0.6 * this.#random.next();
    return { outcome: "success", load: { applicationUtilization, requestsPerSecond: 100 } };
  }

  /** Exponential. */
  #serviceMs(id: string): number {
    const meanMs = this.#meanMs[Number(id.slice(1))] ?? 0;
    return Math.min(-meanMs * Math.log(1 - this.#random.next()), ATTEMPT_TIMEOUT_MS - 1);
  }
}

const ANSWERS: Readonly<Record<Fault, readonly [afterMs: number, report: Report] | undefined>> = {
  none: undefined,
  fails: [1, { outcome: "failure", status: 500 }],
  hangs: [ATTEMPT_TIMEOUT_MS, { outcome: "failure", origin: "local" }],
  pauses: [1, { outcome: "overload", status: 503, retryAfterMs: 3_600_000 }],
};
