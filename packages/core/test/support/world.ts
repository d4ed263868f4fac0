import { getEventListeners } from "node:events";
import {
  type Attempt,
  type BackendSnapshot,
  type Balancer,
  type BalancerEvents,
  type BalancerOptions,
  createBalancer,
  first,
  type Report,
} from "@fairlead/core";
import { type VirtualClock, virtualClock } from "@fairlead/core/testing";

/** A generator that always says the same: back-offs and jitter come out exact (0.5: no jitter at all). */
export function constantRandom(value: number): { next(): number } {
  return { next: () => value };
}

export interface World {
  readonly clock: VirtualClock;
  readonly balancer: Balancer;
}

/** A balancer over backends a, b, c… under a virtual clock. `first()` unless said otherwise: a before b before c. */
export function world(backends: number | BalancerOptions["backends"], options: Partial<BalancerOptions> = {}): World {
  const clock = virtualClock();
  const balancer = createBalancer({
    name: "orders",
    strategy: first(),
    random: constantRandom(0.5),
    clock,
    ...(options.discovery === undefined ? { backends: typeof backends === "number" ? named(backends) : backends } : {}),
    ...options,
  });
  // Counts of a closed balancer say nothing any more: this is when all leases must be back.
  balancer.attach({ close: () => void heldAtEnd.set(balancer, countHeld(balancer)) });
  return { clock, balancer };
}

const heldAtEnd = new WeakMap<Balancer, number>();

/** Specifications of `count` backends with the ids a, b, c… */
export function named(count: number): { id: string; url: string }[] {
  return Array.from({ length: count }, (_, index) => {
    const id = String.fromCharCode("a".charCodeAt(0) + index);
    return { id, url: `http://${id}.test` };
  });
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** For variables that a callback is put into later. */
export const nothing = (): void => {};

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = nothing;
  let reject: (error: unknown) => void = nothing;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** How a promise stands, without awaiting it. */
export interface Watched<T> {
  state: "pending" | "fulfilled" | "rejected";
  value: T | undefined;
  error: unknown;
}

export function watch<T>(promise: Promise<T>): Watched<T> {
  const watched: Watched<T> = { state: "pending", value: undefined, error: undefined };
  const follow = async (): Promise<void> => {
    try {
      watched.value = await promise;
      watched.state = "fulfilled";
    } catch (error) {
      watched.error = error;
      watched.state = "rejected";
    }
  };
  // It has no way to reject.
  follow().catch(nothing);
  return watched;
}

/** What a promise rejects with; throws if it does not. */
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

export function one(balancer: Balancer, id: string): BackendSnapshot {
  const found = balancer.snapshot().backends.find((backend) => backend.id === id);
  if (found === undefined) throw new Error(`no backend ${id}`);
  return found;
}

/** Leases held on all backends, of both kinds; after a close, those that it left behind. */
export function held(balancer: Balancer): number {
  if (balancer.snapshot().state !== "closed") return countHeld(balancer);
  const left = heldAtEnd.get(balancer);
  if (left === undefined) throw new Error("only a balancer made by world() says what its close left behind");
  return left;
}

function countHeld(balancer: Balancer): number {
  return balancer.snapshot().backends.reduce((sum, { requests, connections }) => sum + requests + connections, 0);
}

export function abortListeners(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}

/** Gathers the records of some events, in order. */
export function record<E extends keyof BalancerEvents>(
  balancer: Balancer,
  ...events: E[]
): { readonly event: E; readonly record: Parameters<BalancerEvents[E]>[0] }[] {
  const seen: { event: E; record: Parameters<BalancerEvents[E]>[0] }[] = [];
  for (const event of events) {
    const listener = (entry: Parameters<BalancerEvents[E]>[0]): void => void seen.push({ event, record: entry });
    balancer.on(event, listener);
  }
  return seen;
}

/** An attempt that fails like undici after the request was read. */
export function reset(): Error {
  return Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" });
}

/** An attempt that never came to a connection. */
export function refused(): Error {
  return Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
}

/** Runs `script[id]` on backend `id`, and notes where each attempt went. */
export function scripted<T>(script: Record<string, (attempt: Attempt) => Promise<T> | T>): {
  readonly visits: string[];
  readonly run: (attempt: Attempt) => Promise<T>;
} {
  const visits: string[] = [];
  return {
    visits,
    run: async (attempt) => {
      visits.push(attempt.backend.id);
      const step = script[attempt.backend.id];
      if (step === undefined) throw new Error(`nothing scripted for ${attempt.backend.id}`);
      return step(attempt);
    },
  };
}

/** Five failures in a row: with the default options, `id` is ejected. */
export function eject(balancer: Balancer, id: string, report: Report = { outcome: "failure" }): void {
  for (let failure = 0; failure < 5; failure++) balancer.observe(id, report);
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
  } finally {
    await settle();
    await settle();
    for (const [index, event] of events.entries()) {
      process.removeAllListeners(event);
      for (const listener of before[index] ?? []) process.on(event as "uncaughtException", listener);
    }
  }
  return caught;
}
