import { type Balancer, createBalancer, first, OptionCheck } from "@fairlead/core";
import { type VirtualClock, virtualClock } from "@fairlead/core/testing";
import { type CircuitBreaker, type CircuitBreakerOptions, circuitBreaker } from "../src/index.ts";
import type { Change } from "../src/machine/state.ts";
import { StateMachine } from "../src/machine/state-machine.ts";
import { type BreakerRules, type BreakerSettings, resolveRules } from "../src/settings.ts";

/** A generator that always says the same; 0.5: no jitter at all. */
function constantRandom(value: number): { next(): number } {
  return { next: () => value };
}

export function settingsOf(rules: BreakerRules): BreakerSettings {
  const check = new OptionCheck();
  const settings = resolveRules(check, { ...rules });
  check.throwIfAny("settingsOf");
  return settings;
}

export interface MachineWorld {
  readonly clock: VirtualClock;
  readonly machine: StateMachine;
  readonly changes: Change[];
}

export function machineWorld(rules: BreakerRules = {}, random: { next(): number } = constantRandom(0.5)): MachineWorld {
  const clock = virtualClock();
  const changes: Change[] = [];
  const machine = new StateMachine(settingsOf(rules), { clock, random, changed: (change) => changes.push(change) });
  return { clock, machine, changes };
}

/** One call from beginning to end, if it is admitted. */
export function pass({ clock, machine }: MachineWorld, verdict: "worked" | "failed" | "none", latencyMs = 0): boolean {
  const nowMs = clock.now();
  if (!machine.admits(nowMs)) return false;
  machine.report(machine.enter(nowMs), verdict, latencyMs, nowMs);
  return true;
}

/** Some calls, as text: `w` worked, `f` failed, `n` neither. Says which were admitted. */
export function passAll(world: MachineWorld, calls: string, latencyMs = 0): boolean[] {
  const verdicts = { w: "worked", f: "failed", n: "none" } as const;
  return Array.from(calls, (call) => pass(world, verdicts[call as keyof typeof verdicts], latencyMs));
}

export interface BalancedWorld {
  readonly clock: VirtualClock;
  readonly breaker: CircuitBreaker;
  readonly balancer: Balancer;
}

/** A balancer over `ids`, in this order of preference, behind breakers; ejection and retries are off. */
export function balancedWorld(
  options: CircuitBreakerOptions = {},
  ids: readonly string[] = ["a", "b"],
  clock: VirtualClock = virtualClock(),
): BalancedWorld {
  const breaker = circuitBreaker(options);
  const balancer = createBalancer({
    name: "orders",
    backends: ids.map((id) => ({ id, url: `http://${id}.test` })),
    strategy: first(),
    random: constantRandom(0.5),
    clock,
    breaker,
    ejection: false,
    retry: false,
  });
  return { clock, breaker, balancer };
}

export const nothing = (): void => {};

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = nothing;
  let reject: (error: unknown) => void = nothing;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`expected a rejection, got ${String(value)}`);
}

/** A macrotask: all promises that can settle without time have. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Runs `work` and gives back whatever reached the process as unhandled rejection or uncaught exception meanwhile. */
export async function escaped(work: () => Promise<void>): Promise<unknown[]> {
  const caught: unknown[] = [];
  const note = (error: unknown): void => void caught.push(error);
  const events = ["unhandledRejection", "uncaughtException"] as const;
  const before = events.map((event) => process.listeners(event as "uncaughtException"));
  for (const event of events) {
    process.removeAllListeners(event);
    process.on(event, note);
  }
  try {
    await work();
    await settle();
    await settle();
  } finally {
    for (const [index, event] of events.entries()) {
      process.removeAllListeners(event);
      for (const listener of before[index] ?? []) process.on(event as "uncaughtException", listener);
    }
  }
  return caught;
}
