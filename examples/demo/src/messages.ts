// What the processes of the demo say to each other.
import type { Condition } from "./scenario.ts";

/** The clock that all processes share: milliseconds since 1970, finer than `Date.now()`. */
export function sharedNow(): number {
  return performance.timeOrigin + performance.now();
}

export type ToBackend = { readonly kind: "condition"; readonly condition: Condition };

export type FromBackend = { readonly kind: "listening"; readonly port: number };

/** One call as its caller saw it. */
export interface CallRecord {
  /** When it was due, milliseconds since the start. */
  readonly atMs: number;
  /** From when it was due to the end of the answer's body. */
  readonly ms: number;
  /** It was rejected, or its answer was a 5xx. */
  readonly failed: boolean;
}

/** One backend as a client sees it, since the start. */
export interface BackendFigures {
  /** The client's own opinion of it. */
  readonly state: string;
  /** Requests sent to it, repeats included. */
  readonly requests: number;
  readonly errors: number;
  readonly inFlight: number;
  /** Milliseconds, of the requests that succeeded. */
  readonly p50: number;
  readonly p99: number;
}

export type ToClient = {
  readonly kind: "start";
  /** On the shared clock. */
  readonly startsAt: number;
  readonly seconds: number;
  readonly rate: number;
};

export type FromClient =
  | { readonly kind: "ready" }
  | {
      readonly kind: "report";
      readonly atMs: number;
      readonly calls: readonly CallRecord[];
      readonly backends: readonly BackendFigures[];
    }
  | { readonly kind: "done" };

export function tellParent(message: FromBackend | FromClient): void {
  process.send?.(message);
}

/** A child lives as long as its parent, and leaves Ctrl-C to it. */
export function liveWithParent(): void {
  process.on("disconnect", () => process.exit());
  process.on("SIGINT", () => {});
}
