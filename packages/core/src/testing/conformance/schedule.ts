import type { Backend } from "../../backend.ts";
import { below, type Random } from "../../random.ts";
import type { PickRequest } from "../../strategy/strategy.ts";

/** How a backend answers. `fails`: at once; `hangs`: not within the timeout; `pauses`: 503 with Retry-After. */
export type Fault = "none" | "fails" | "hangs" | "pauses";

/** Something that happens to the backend with this index, or to nobody if there is none. */
export type Step =
  | { readonly kind: "calls"; readonly count: number; readonly gapMs: number }
  | { readonly kind: "fault"; readonly backend: number; readonly fault: Fault }
  /** A breaker by hand. */
  | { readonly kind: "gate"; readonly backend: number; readonly open: boolean }
  /** Closes every gate but this one: −1 leaves none open. */
  | { readonly kind: "only"; readonly backend: number }
  /** Added or removed by the discovery. */
  | { readonly kind: "presence"; readonly backend: number; readonly present: boolean }
  /** By an operator. */
  | { readonly kind: "state"; readonly backend: number; readonly change: "enable" | "disable" | "drain" }
  | { readonly kind: "weight"; readonly backend: number; readonly weight: number };

export interface ScheduledBackend {
  readonly weight: number;
  readonly priority: number;
}

export const FAULTS: readonly [Fault, ...Fault[]] = ["none", "fails", "hangs", "pauses"];
const STEPS = 40;
const WEIGHTS: readonly [number, ...number[]] = [1, 1, 1, 2, 3, 0.5, 0.1, 20];
/** Nothing that a key can be is forbidden. */
const KEYS: readonly [string, ...string[]] = ["", "7", "клавиша", "\u{1F511}", "\uD800", "k".repeat(300)];

export function oneOf<const T>(random: Random, items: readonly [T, ...T[]]): T {
  return items[below(random, items.length)] ?? items[0];
}

export function randomBackends(random: Random, size: number): ScheduledBackend[] {
  return Array.from({ length: size }, () => ({
    weight: oneOf(random, WEIGHTS),
    priority: random.next() < 0.2 ? 1 : 0,
  }));
}

/** Steps that bring about whatever can happen to a view and its gates, with calls in between. */
export function randomSteps(random: Random, size: number): Step[] {
  return Array.from({ length: STEPS }, () => [
    randomStep(random, size),
    { kind: "calls" as const, count: 1 + below(random, 10), gapMs: oneOf(random, [0, 1, 20, 400, 5_000]) },
  ]).flat();
}

function randomStep(random: Random, size: number): Step {
  const backend = below(random, size);
  const kind = oneOf(random, ["fault", "gate", "only", "presence", "state", "weight"]);
  if (kind === "fault") return { kind, backend, fault: oneOf(random, FAULTS) };
  if (kind === "gate") return { kind, backend, open: random.next() < 0.7 };
  if (kind === "only") return { kind, backend: backend - 1 };
  if (kind === "presence") return { kind, backend, present: random.next() < 0.5 };
  if (kind === "weight") return { kind, backend, weight: oneOf(random, WEIGHTS) };
  return { kind, backend, change: oneOf(random, ["enable", "disable", "drain"]) };
}

/** Calls of both kinds, with and without a key, first attempts and retries. */
export function randomRequest(random: Random, backends: readonly Backend[]): PickRequest {
  const share = random.next();
  return {
    kind: random.next() < 0.2 ? "connection" : "request",
    replayable: random.next() < 0.5,
    ...(random.next() < 0.3 ? { hashKey: oneOf(random, KEYS) } : {}),
    ...(random.next() < 0.3 ? { tried: new Set(backends.filter(() => random.next() < share)) } : {}),
  };
}
