/** How a call ended. */
export type CallEnd = (typeof ENDS)[keyof typeof ENDS];

export const ENDS = {
  served: 1,
  /** Answered with an error, or not in time. */
  failed: 2,
  /** No backend took it. */
  refused: 3,
} as const;

/** Where an attempt went, seen from the one before with its key. */
export const RETURNS = { same: 1, other: 2 } as const;

/** Calls before the measurement have no row. */
export const UNMEASURED = -1;

/** Every measured call and attempt, in columns. Both are in the order of their beginning. */
export class Samples {
  readonly calls: CallRows = new CallRows();
  readonly attempts: AttemptRows = new AttemptRows();
}

class CallRows {
  size = 0;
  startedMs: Float64Array = new Float64Array(FIRST_SIZE);
  /** NaN until it has ended, and for calls that were refused. */
  latencyMs: Float64Array = new Float64Array(FIRST_SIZE);
  ends: Uint8Array = new Uint8Array(FIRST_SIZE);

  /** The row of a call that begins. */
  begin(nowMs: number): number {
    if (this.size === this.ends.length) this.#grow();
    this.startedMs[this.size] = nowMs;
    this.latencyMs[this.size] = Number.NaN;
    return this.size++;
  }

  end(row: number, latencyMs: number, end: CallEnd): void {
    if (row === UNMEASURED) return;
    this.ends[row] = end;
    if (end !== ENDS.refused) this.latencyMs[row] = latencyMs;
  }

  #grow(): void {
    this.startedMs = doubled(this.startedMs, Float64Array);
    this.latencyMs = doubled(this.latencyMs, Float64Array);
    this.ends = doubled(this.ends, Uint8Array);
  }
}

class AttemptRows {
  size = 0;
  startedMs: Float64Array = new Float64Array(FIRST_SIZE);
  /** Index of the backend. */
  backends: Int32Array = new Int32Array(FIRST_SIZE);
  /** 1: it is in the zone of the client. */
  sameZone: Uint8Array = new Uint8Array(FIRST_SIZE);
  /** Whether the attempt before with the same key was there too; 0 without one. */
  returns: Uint8Array = new Uint8Array(FIRST_SIZE);
  /** By key: the backend of its latest attempt. */
  readonly #latest: Map<string, number> = new Map();

  /** An attempt of the call in `row` begins. */
  begin(row: number, nowMs: number, backend: number, sameZone: boolean, hashKey: string | undefined): void {
    const latest = hashKey === undefined ? undefined : this.#latest.get(hashKey);
    if (hashKey !== undefined && latest !== backend) this.#latest.set(hashKey, backend);
    if (row === UNMEASURED) return;
    if (this.size === this.backends.length) this.#grow();
    this.startedMs[this.size] = nowMs;
    this.backends[this.size] = backend;
    this.sameZone[this.size] = sameZone ? 1 : 0;
    if (latest !== undefined) this.returns[this.size] = latest === backend ? RETURNS.same : RETURNS.other;
    this.size++;
  }

  #grow(): void {
    this.startedMs = doubled(this.startedMs, Float64Array);
    this.backends = doubled(this.backends, Int32Array);
    this.sameZone = doubled(this.sameZone, Uint8Array);
    this.returns = doubled(this.returns, Uint8Array);
  }
}

const FIRST_SIZE = 4_096;

/** The column with room for as many rows again. */
function doubled<T extends Float64Array | Int32Array | Uint8Array>(column: T, create: new (size: number) => T): T {
  const larger = new create(column.length * 2);
  larger.set(column);
  return larger;
}
