import type { Attempt, Target } from "@fairlead/core";
import { isRouter } from "../destination.ts";
import type { ConnectionStats } from "./connections/pool.ts";
import type { PoolOptions } from "./connections/pool-options.ts";
import { type BackendPool, connectionStats, type Pools, poolsOf } from "./pools.ts";

/** The connections to one backend, with whose they are. */
export interface BackendConnections extends ConnectionStats {
  readonly upstream: string;
  /** Id of the backend. */
  readonly backend: string;
}

/** The connections that one client uses. Those of its own balancer are remembered: every attempt asks for them. */
export class TargetPools {
  readonly #target: Target;
  readonly #options: PoolOptions | undefined;
  readonly #own: Pools | undefined;

  /** `options` count where they are the first given for a balancer. */
  constructor(target: Target, options: PoolOptions | undefined) {
    this.#target = target;
    this.#options = options;
    this.#own = isRouter(target) ? undefined : poolsOf(target, options);
  }

  /** The connections to the backend of an attempt, which may be one of another balancer: a fallback's, say. */
  of(attempt: Attempt): BackendPool {
    const { balancer, backend } = attempt;
    const pools = this.#own !== undefined && balancer === this.#target ? this.#own : poolsOf(balancer, this.#options);
    return pools.of(backend);
  }

  /** One record per backend that was called. */
  get stats(): BackendConnections[] {
    const balancers = isRouter(this.#target) ? this.#target.balancers : [this.#target];
    const records = balancers.flatMap((balancer) =>
      Object.entries(connectionStats(balancer)).map(([backend, stats]) => ({
        upstream: balancer.name,
        backend,
        ...stats,
      })),
    );
    // Balancers derived from each other have their connections in common.
    return [...new Map(records.map((record) => [`${record.upstream} ${record.backend}`, record])).values()];
  }
}
