/** The backends of one zone among those of one priority. */
export interface ZoneCount {
  /** `undefined`: those without one. */
  readonly zone: string | undefined;
  /** Of the kind that calls are being divided over: healthy ones, or degraded ones. */
  readonly available: number;
  /** All in play, failed ones included. */
  readonly total: number;
}

/** Decides which zones take the calls of a client. Your own may do so by any rule. */
export interface ZonePolicy {
  readonly name: string;
  /**
   * The share of the calls per zone, in the order given; they sum to 1. `undefined`: zones don't matter now. Called when
   * the view changes; must not throw.
   */
  shares(zones: readonly ZoneCount[]): readonly number[] | undefined;
}
