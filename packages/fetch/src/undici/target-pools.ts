import type { Attempt, Balancer, Target } from "@fairlead/core";
import type { Pool } from "undici";
import { isRouter } from "../destination.ts";
import { type BackendPool, type Pools, poolsOf } from "./pools.ts";

/** The connections to one backend, as its pool counts them. */
export type ConnectionStats = BackendPool["pool"]["stats"] & {
  readonly upstream: string;
  /** Id of the backend. */
  readonly backend: string;
};

/** The connections that one client uses. Those of its own balancer are remembered: every attempt asks for them. */
export class TargetPools {
  readonly #target: Target;
  readonly #options: Pool.Options | undefined;
  readonly #own: Pools | undefined;

  /** `options` count where they are the first given for a balancer. */
  constructor(target: Target, options: Pool.Options | undefined) {
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

  /** One record per backend that there is a pool for. */
  get stats(): ConnectionStats[] {
    // Balancers derived from each other have their pools in common.
    const upstreams = new Map<Pools, Balancer>();
    for (const balancer of isRouter(this.#target) ? this.#target.balancers : [this.#target])
      upstreams.set(poolsOf(balancer, this.#options), balancer);
    return [...upstreams].flatMap(([pools, { name, backends }]) =>
      backends.flatMap((backend) => {
        const known = pools.known(backend);
        // undici's are objects of a class.
        return known === undefined ? [] : [Object.assign({ upstream: name, backend: backend.id }, known.pool.stats)];
      }),
    );
  }
}
