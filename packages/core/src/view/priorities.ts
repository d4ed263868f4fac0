/** How many backends of one priority there are. */
export interface PriorityCounts {
  readonly healthy: number;
  readonly degraded: number;
  /** All in play, failed ones included. */
  readonly total: number;
}

/** Whole percentages of the calls, by index of priority. They sum to 100 unless there is no backend at all. */
export interface PriorityLoads {
  readonly healthy: readonly number[];
  readonly degraded: readonly number[];
  /** Priorities in which health and ejection are set aside. */
  readonly panic: readonly boolean[];
}

export interface PriorityRules {
  /** How much more than its share a healthy backend can carry, as a factor; Envoy's overprovisioning factor / 100. */
  readonly overprovisioning: number;
  /** Percent; 0: never. */
  readonly panicThreshold: number;
}

/** Lowers the availability of priorities that calls shall not go back to yet. */
export type Hold = (available: readonly number[], others: number) => readonly number[];

/**
 * How much of the load each priority takes: lower ones only what those before them can't.
 *
 * Source: Envoy `load_balancer_impl.cc` (`recalculatePerPriorityState`, `recalculatePerPriorityPanic`,
 * `recalculateLoadInTotalPanic`), integer rules.
 */
export function priorityLoads(
  counts: readonly PriorityCounts[],
  { overprovisioning, panicThreshold }: PriorityRules,
  hold: Hold = (available) => available,
): PriorityLoads {
  const factor = Math.round(overprovisioning * 100);
  const degradedHealth = counts.map(({ degraded, total }) => availability(degraded, total, factor));
  const health = hold(
    counts.map(({ healthy, total }) => availability(healthy, total, factor)),
    sum(degradedHealth),
  );
  const normalizer = Math.min(100, sum(health) + sum(degradedHealth));
  const panic = counts.map(
    ({ healthy, degraded, total }) =>
      normalizer < 100 && total > 0 && (100 * (healthy + degraded)) / total < panicThreshold,
  );
  const occupied = counts.filter(({ total }) => total > 0).length;
  if (occupied > 0 && panic.filter(Boolean).length === occupied) return { ...loadsByCount(counts), panic };
  if (normalizer === 0) return { healthy: counts.map(() => 0), degraded: counts.map(() => 0), panic };

  let remaining = 100;
  const share = (available: number): number => {
    const load = Math.min(remaining, Math.floor((available * 100) / normalizer));
    remaining -= load;
    return load;
  };
  const healthy = health.map(share);
  const degraded = degradedHealth.map(share);
  giveRemainder(remaining, healthy, health, degraded, degradedHealth);
  return { healthy, degraded, panic };
}

function availability(available: number, total: number, factor: number): number {
  return total === 0 ? 0 : Math.min(100, Math.floor((factor * available) / total));
}

/** What rounding left over goes to the first priority that can serve. */
function giveRemainder(
  remaining: number,
  healthy: number[],
  health: readonly number[],
  degraded: number[],
  degradedHealth: readonly number[],
): void {
  const first = health.findIndex((value) => value > 0);
  const loads = first >= 0 ? healthy : degraded;
  const index = first >= 0 ? first : degradedHealth.findIndex((value) => value > 0);
  if (index >= 0) loads[index] = (loads[index] ?? 0) + remaining;
}

/** Every priority is in panic: the split follows the number of backends. */
function loadsByCount(counts: readonly PriorityCounts[]): { healthy: number[]; degraded: number[] } {
  const all = sum(counts.map(({ total }) => total));
  const healthy = counts.map(({ total }) => Math.floor((100 * total) / all));
  const first = counts.findIndex(({ total }) => total > 0);
  healthy[first] = (healthy[first] ?? 0) + 100 - sum(healthy);
  return { healthy, degraded: counts.map(() => 0) };
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
