import { BalancedPool, type Dispatcher, Pool } from "undici";
import type { BackendFigures } from "../messages.ts";
import { Quantiles } from "../results/quantiles.ts";
import type { Caller } from "./caller.ts";

/** fairlead's default, so that neither side waits longer. No fault of the demo takes that long. */
export const HEADERS_TIMEOUT_MS = 10_000;

/** undici's BalancedPool as it comes. */
export function balancedPoolCaller(urls: readonly string[]): Caller {
  const pools: CountingPool[] = [];
  const factory = (origin: string | URL, options: object): CountingPool => {
    const pool = new CountingPool(origin, options);
    pools.push(pool);
    return pool;
  };
  const orders = new BalancedPool([...urls], { factory });
  return {
    call: async (path) => {
      const ticket: Ticket = { pool: undefined };
      const sentAtMs = performance.now();
      try {
        const response = await orders.request({
          path,
          method: "GET",
          headersTimeout: HEADERS_TIMEOUT_MS,
          ticket,
        } as RequestOptions);
        await response.body.text();
        ticket.pool?.finished(response.statusCode < 500, performance.now() - sentAtMs);
        return response.statusCode;
      } catch (error) {
        ticket.pool?.finished(false, 0);
        throw error;
      }
    },
    figures: () => pools.map((pool) => pool.figures()),
    close: () => orders.close(),
  };
}

type RequestOptions = Parameters<BalancedPool["request"]>[0];

/** Travels with a request, to learn which pool it was given to. */
interface Ticket {
  pool: CountingPool | undefined;
}

/** What BalancedPool keeps for each backend, counting: it has no figures of its own. */
class CountingPool extends Pool {
  #requests = 0;
  #errors = 0;
  #inFlight = 0;
  readonly #latencies = new Quantiles();

  override dispatch(
    options: Dispatcher.DispatchOptions & { ticket?: Ticket },
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    if (options.ticket !== undefined) options.ticket.pool = this;
    this.#requests++;
    this.#inFlight++;
    return super.dispatch(options, handler);
  }

  finished(ok: boolean, ms: number): void {
    this.#inFlight--;
    if (ok) this.#latencies.add(ms);
    else this.#errors++;
  }

  figures(): BackendFigures {
    return {
      state: this.stats.connected > 0 ? "connected" : "no socket",
      requests: this.#requests,
      errors: this.#errors,
      inFlight: this.#inFlight,
      p50: this.#latencies.at(0.5),
      p99: this.#latencies.at(0.99),
    };
  }
}
