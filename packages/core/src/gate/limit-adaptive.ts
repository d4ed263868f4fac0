/** A number of requests under way that is found out by watching them. */
export interface ConcurrencyLimit {
  /** How many may be under way at once; whole, ≥ 1. Read after each sample. */
  readonly limit: number;
  /**
   * A request has its verdict.
   *
   * @param latencyMs > 0, from lease to verdict, without the time that this process stood still
   * @param inFlight requests under way when it began, itself included
   * @param dropped it was no success: a failure, an overload, or never sent
   */
  sample(latencyMs: number, inFlight: number, dropped: boolean): void;
}

/** Makes the limit of each backend when it first appears, or the one of an upstream. */
export interface AdaptiveLimit {
  readonly name: string;
  /** What it limits: each backend by itself, or all of them together. */
  readonly scope: "backend" | "upstream";
  createLimit(): ConcurrencyLimit;
}
