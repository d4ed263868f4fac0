import type { Backend, RequestKind } from "../backend.ts";
import type { LoadReport } from "../call/outcome.ts";
import type { KeyHash } from "../hash/key-hash.ts";
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
  /** How good the table behind the picker is, such as its size and the fewest and most entries of a backend. */
  table?(): Readonly<Record<string, number>>;
}

/** Where backends say how loaded they are, for strategies that go by it. */
export interface LoadReportSource {
  /** Name of the response header, in lower case. */
  readonly header: string;
  /** What it says; `undefined` if it can't be understood. Never throws. */
  parse(text: string): LoadReport | undefined;
}

/** A way of choosing. Long-lived: what must survive a change of the view, it keeps by `Backend`. */
export interface Strategy {
  readonly name: string;
  /** The hash by which it places keys. Priority and zone of a call with a key are then chosen by the same one. */
  readonly hash?: KeyHash | undefined;
  /** Set by strategies that go by what backends report: adapters then hand that header on. */
  readonly reports?: LoadReportSource | undefined;
  /** Prepares for a view. Called lazily, once per view that is used. */
  build(view: View): Picker;
}
