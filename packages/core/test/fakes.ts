import type { AdminState, Backend, BackendSpec, LatencyLoad, ReportedLoad, RequestKind } from "../src/backend.ts";
import { createRandom, type Random } from "../src/random.ts";
import type { LoadColumns } from "../src/strategy/load/load-table.ts";
import type { PickRequest, View } from "../src/strategy/strategy.ts";

/** A backend whose every property a test sets by hand. */
class FakeBackend implements Backend {
  readonly id: string;
  readonly url: string;
  readonly weight: number;
  readonly priority = 0;
  readonly zone = undefined;
  labels: Readonly<Record<string, string>> = {};
  reported: ReportedLoad | undefined = undefined;
  readonly spec: BackendSpec;
  readonly state: AdminState = "enabled";
  readonly #loads: LoadColumns;
  readonly #row: number;

  constructor(id: string, weight: number, loads: LoadColumns, row: number) {
    this.id = id;
    this.url = `http://${id}`;
    this.weight = weight;
    this.spec = { url: this.url };
    this.#loads = loads;
    this.#row = row;
  }

  get requests(): number {
    return this.#loads.requests[this.#row] ?? 0;
  }

  set requests(count: number) {
    this.#loads.requests[this.#row] = count;
  }

  get connections(): number {
    return this.#loads.connections[this.#row] ?? 0;
  }

  set connections(count: number) {
    this.#loads.connections[this.#row] = count;
  }

  /** Milliseconds; 0: no history. */
  get ewmaMs(): number {
    return this.#loads.latency[this.#row] ?? 0;
  }

  set ewmaMs(ms: number) {
    this.#loads.latency[this.#row] = ms;
  }

  get open(): boolean {
    return this.#loads.gated[this.#row] === 0;
  }

  set open(open: boolean) {
    this.#loads.gated[this.#row] = open ? 0 : 1;
  }

  get latency(): LatencyLoad {
    return { scaled: this.ewmaMs, read: () => this.ewmaMs };
  }

  inFlight(kind: RequestKind): number {
    return kind === "request" ? this.requests : this.connections;
  }

  admits(request: PickRequest): boolean {
    return this.open && request.tried?.has(this) !== true;
  }
}

/** A view whose backends can be set by hand. */
export interface FakeView extends Omit<View, "backends"> {
  readonly backends: readonly FakeBackend[];
}

/** A view over one fake backend per weight, named b0, b1, … */
export function fakeView(
  weights: readonly number[],
  { kind = "request", seed = 1 }: { kind?: RequestKind; seed?: number } = {},
): FakeView {
  const size = weights.length;
  // Rows in another order than the view's, and not from 0 on: a picker must go by `rows`.
  const rows = Int32Array.from(weights, (_, index) => size - index);
  const gated = new Uint8Array(size + 1);
  const loads: LoadColumns = {
    latency: new Float64Array(size + 1),
    requests: new Int32Array(size + 1),
    connections: new Int32Array(size + 1),
    gated,
    get totalRequests() {
      return loads.requests.reduce((total, count) => total + count, 0);
    },
    get totalConnections() {
      return loads.connections.reduce((total, count) => total + count, 0);
    },
    get gatedRows() {
      return gated.filter((flag) => flag !== 0).length;
    },
  };
  return {
    kind,
    backends: weights.map((weight, index) => new FakeBackend(`b${index}`, weight, loads, size - index)),
    weights,
    random: createRandom(seed),
    loads,
    rows,
  };
}

/** A generator that gives these numbers, over and over. */
export function scripted(...numbers: readonly number[]): Random {
  let index = 0;
  return { next: () => numbers[index++ % numbers.length] ?? 0 };
}

/** How often each id was answered. */
export function tally(times: number, pick: (turn: number) => Backend | undefined): Map<string, number> {
  const counts = new Map<string, number>();
  for (let turn = 0; turn < times; turn++) {
    const id = pick(turn)?.id ?? "nobody";
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

export function repeat<T>(times: number, make: (index: number) => T): T[] {
  return Array.from({ length: times }, (_, index) => make(index));
}
