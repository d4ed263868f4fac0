import type { Backend, RequestKind } from "../backend.ts";
import type { Random } from "../random.ts";
import type { LoadColumns } from "./load/load-table.ts";

/** The facts about a call that choosing a backend may depend on. */
export interface PickRequest {
  /** Default `request`. Sockets are counted apart, so that thousands of idle ones never distort request load. */
  readonly kind?: RequestKind | undefined;
  /** Calls with the same key go to the same backend, under strategies that hash. */
  readonly hashKey?: string | undefined;
  /** Id of the backend that must serve this call; a draining one may. */
  readonly pinned?: string | undefined;
  /** What to do when the pinned backend can't: choose another (default), wait for it, or fail. */
  readonly pinPolicy?: "redistribute" | "wait" | "fail" | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Backends that have had their chance, on retries. */
  readonly tried?: ReadonlySet<Backend> | undefined;
  /** Safe to send again, so that it may test a backend that just came back. Default `false`. */
  readonly replayable?: boolean | undefined;
}

/** The backends among which a strategy chooses. Immutable; a change makes a new one. */
export interface View {
  readonly kind: RequestKind;
  /** Never empty. */
  readonly backends: readonly Backend[];
  /** Effective weights in the order of `backends`: configured × slow start, > 0. */
  readonly weights: readonly number[];
  readonly random: Random;
  /** For strategies that look at many backends per pick: their loads in columns… */
  readonly loads: LoadColumns;
  /** …and the row of each backend there, in the order of `backends`. */
  readonly rows: Int32Array;
}

/**
 * Chooses over one view. Called for every attempt: synchronous, allocates nothing, never throws. Must ask
 * `backend.admits(request, nowMs)` of what it returns; `undefined` if nobody admits the request.
 */
export interface Picker {
  pick(request: PickRequest, nowMs: number): Backend | undefined;
  /** What `pick` would return, without a trace of the question; for `explain`. Leave it out if that can't be said. */
  peek?(request: PickRequest, nowMs: number): Backend | undefined;
  /** Current score per backend in the order of the view (its meaning is the strategy's); for `explain`. */
  scores?(nowMs: number): readonly number[];
}

/** A way of choosing. Long-lived: what must survive a change of the view, it keeps by `Backend`. */
export interface Strategy {
  readonly name: string;
  /** Prepares for a view. Called lazily, once per view that is used. */
  build(view: View): Picker;
}
