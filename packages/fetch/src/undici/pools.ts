import type { Backend, BackendSpec, Balancer, Json } from "@fairlead/core";
import { ConnectionPool, type ConnectionStats } from "./connections/pool.ts";
import type { PoolOptions } from "./connections/pool-options.ts";
import { Route } from "./route.ts";
import { warnOfTrust } from "./tls.ts";

/** The connections to one backend. */
export interface BackendPool {
  readonly route: Route;
  readonly pool: ConnectionPool;
}

const POOLS: unique symbol = Symbol("fairlead.undici.pools");

/**
 * The connections of a balancer and all derived from it: one pool per backend, made when first needed. `options` count when
 * they are the first given.
 */
export function poolsOf(balancer: Balancer, options?: PoolOptions): Pools {
  const upstream = balancer.shared<{ pools?: Pools }>(POOLS, newUpstream);
  upstream.pools ??= new Pools(balancer, options);
  return upstream.pools;
}

/** Of an upstream without connections yet: who only asks about them must not decide about their options. */
const newUpstream = (): { pools?: Pools } => ({});

/**
 * What the connections to each backend do now, by the backend's id: those that `createRequest`, `BalancedDispatcher` and
 * `undiciTransport` use over this balancer. Backends that were never asked are left out. `balancer.snapshot()` says the
 * same in its section `connections`.
 */
export function connectionStats(balancer: Balancer): Readonly<Record<string, ConnectionStats>> {
  return balancer.shared<{ pools?: Pools }>(POOLS, newUpstream).pools?.stats ?? {};
}

export class Pools {
  readonly #balancer: Balancer;
  readonly #options: PoolOptions;
  readonly #pools = new Map<Backend, BackendPool>();
  /** Of backends that are gone, or elsewhere: what is left to do there. */
  readonly #closing = new Set<ConnectionPool>();

  constructor(balancer: Balancer, options: PoolOptions = {}) {
    this.#balancer = balancer;
    this.#options = options;
    balancer.on("backendRemoved", ({ backend }) => this.#remove(backend));
    balancer.on("backendDrained", ({ backend }) => this.#close(({ id }) => id === backend));
    balancer.extend({ name: "connections", snapshot: () => this.#snapshot() });
    balancer.attach({ close: () => this.#destroy() });
  }

  of(backend: Backend): BackendPool {
    const known = this.#pools.get(backend);
    if (known !== undefined && (known.route.spec === backend.spec || sameAddress(known.route.spec, backend.spec)))
      return known;
    // Requests on the old connections come to their end.
    if (known !== undefined) this.#close((one) => one === backend);
    return this.#make(backend);
  }

  get stats(): Readonly<Record<string, ConnectionStats>> {
    return Object.fromEntries([...this.#pools].map(([backend, { pool }]) => [backend.id, pool.stats]));
  }

  #snapshot(): Json {
    return Object.fromEntries(Object.entries(this.stats).map(([id, stats]) => [id, { ...stats }]));
  }

  #make(backend: Backend): BackendPool {
    const route = new Route(backend);
    warnOfTrust(this.#balancer, backend);
    const made: BackendPool = { route, pool: new ConnectionPool(route, this.#balancer, this.#options) };
    this.#pools.set(backend, made);
    return made;
  }

  #remove(id: string): void {
    const { backends } = this.#balancer;
    this.#close((backend) => backend.id === id && !backends.includes(backend));
  }

  #close(isMeant: (backend: Backend) => boolean): void {
    for (const [backend, { pool }] of this.#pools) {
      if (!isMeant(backend)) continue;
      this.#pools.delete(backend);
      this.#closing.add(pool);
      const closed = (): void => void this.#closing.delete(pool);
      pool.close().then(closed, closed);
    }
  }

  async #destroy(): Promise<void> {
    const pools = [...Array.from(this.#pools.values(), ({ pool }) => pool), ...this.#closing];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }
}

function sameAddress(a: BackendSpec, b: BackendSpec): boolean {
  return a.url === b.url && a.host === b.host && JSON.stringify(a.tls) === JSON.stringify(b.tls);
}
