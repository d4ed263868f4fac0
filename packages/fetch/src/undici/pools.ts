import type { Backend, BackendSpec, Balancer } from "@fairlead/core";
import { Pool } from "undici";
import { Route } from "./route.ts";
import { tlsOptionsOf, warnOfTrust } from "./tls.ts";

/** The connections to one backend. */
export interface BackendPool {
  readonly route: Route;
  readonly pool: Pool;
}

const POOLS: unique symbol = Symbol("fairlead.undici.pools");

/**
 * The connections of a balancer and all derived from it: one undici `Pool` per backend, made when first needed. `options`
 * count when they are the first given.
 */
export function poolsOf(balancer: Balancer, options?: Pool.Options): Pools {
  return balancer.shared(POOLS, () => new Pools(balancer, options));
}

export class Pools {
  readonly #balancer: Balancer;
  readonly #options: Pool.Options | undefined;
  readonly #pools = new Map<Backend, BackendPool>();

  constructor(balancer: Balancer, options: Pool.Options | undefined) {
    this.#balancer = balancer;
    this.#options = options;
    balancer.on("backendRemoved", ({ backend }) => this.#remove(backend));
    balancer.attach({ close: () => this.#close() });
  }

  of(backend: Backend): BackendPool {
    const known = this.#pools.get(backend);
    if (known !== undefined && (known.route.spec === backend.spec || sameAddress(known.route.spec, backend.spec)))
      return known;
    // Requests on the old connections come to their end.
    if (known !== undefined) closeSoon(known.pool);
    return this.#make(backend);
  }

  #make(backend: Backend): BackendPool {
    const route = new Route(backend);
    warnOfTrust(this.#balancer, backend);
    const made: BackendPool = { route, pool: new Pool(route.origin, this.#poolOptions(route)) };
    this.#pools.set(backend, made);
    return made;
  }

  #poolOptions(route: Route): Pool.Options {
    const { connectTimeoutMs } = this.#balancer.settings;
    const connect = { timeout: connectTimeoutMs === false ? 0 : connectTimeoutMs, ...tlsOptionsOf(route) };
    const own = this.#options?.connect;
    return {
      ...this.#options,
      connect: typeof own === "function" ? own : { ...connect, ...own },
    };
  }

  #remove(id: string): void {
    for (const [backend, { pool }] of this.#pools) {
      if (backend.id !== id || this.#balancer.backends.includes(backend)) continue;
      this.#pools.delete(backend);
      closeSoon(pool);
    }
  }

  async #close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map(({ pool }) => pool.destroy()));
  }
}

function closeSoon(pool: Pool): void {
  pool.close().catch(() => {});
}

function sameAddress(a: BackendSpec, b: BackendSpec): boolean {
  return a.url === b.url && a.host === b.host && JSON.stringify(a.tls) === JSON.stringify(b.tls);
}
