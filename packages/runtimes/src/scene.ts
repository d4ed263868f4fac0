import { type BackendSpec, type Balancer, type BalancerOptions, createBalancer, first } from "@fairlead/core";
import {
  type BalancedFetch,
  type ClientInfo,
  createFetch,
  createForward,
  type FetchOptions,
  type Forward,
  type ForwardOptions,
} from "@fairlead/fetch";
import { equal, until } from "./check.ts";

/** Where the servers are. */
export interface Addresses {
  /** Behaves as the first segment of a path says: test/support/backends.ts. */
  readonly good: string;
  /** Nobody listens there. */
  readonly dead: string;
  /** Takes connections, and never begins with TLS. */
  readonly deaf: string;
  /** Answers with the version of HTTP: 2 to whom it can. Its certificate is its own. */
  readonly http2: string;
}

/** What the echoing backends answer. */
export interface Echo {
  readonly backend: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Latin-1, so that every byte is there. */
  readonly body: string;
}

/** Asks for a path as a client does: a `Request`, and who sends it. */
type Ask = (path?: string, init?: RequestInit, client?: ClientInfo) => Promise<Response>;

/** The surroundings of one check, put away after it. */
export class Scene {
  readonly addresses: Addresses;
  /** What the paths of this check begin with: `/check-7`. */
  readonly root: string;
  readonly #open: Balancer[] = [];

  constructor(addresses: Addresses, number: number) {
    this.addresses = addresses;
    this.root = `/check-${number}`;
  }

  /** A backend that behaves as its id says: `a`, `b`, `c` echo, `busy` answers 503, `dead` does not exist… */
  backend(id: string, more: Partial<BackendSpec> = {}): BackendSpec {
    const { good, dead } = this.addresses;
    return { id, url: id === "dead" ? `${dead}/` : `${good}/${id}`, ...more };
  }

  /** A balancer that tries those backends in their order. */
  balancer(backends: readonly (string | BackendSpec)[], options: Partial<BalancerOptions> = {}): Balancer {
    const specs = backends.map((backend) => (typeof backend === "string" ? this.backend(backend) : backend));
    return this.keep(createBalancer({ name: "orders", backends: specs, strategy: first(), ...options }));
  }

  /** The same, with a `fetch` over it. */
  open(
    backends: readonly (string | BackendSpec)[],
    options: Partial<BalancerOptions> = {},
    calls: FetchOptions = {},
  ): {
    orders: Balancer;
    fetch: BalancedFetch;
    readonly get: (path?: string, init?: Parameters<BalancedFetch>[1]) => Promise<Echo>;
  } {
    const orders = this.balancer(backends, options);
    const fetch = createFetch(orders, calls);
    const get = async (path = "/", init?: Parameters<BalancedFetch>[1]): Promise<Echo> =>
      (await fetch(this.root + path, init)).json() as Promise<Echo>;
    return { orders, fetch, get };
  }

  /** The same backends, with a gateway for `http://shop.test` before them. */
  gateway(
    backends: readonly (string | BackendSpec)[],
    options: Partial<BalancerOptions> = {},
    forwards: ForwardOptions = {},
  ): { readonly orders: Balancer; readonly ask: Ask } {
    const orders = this.balancer(backends, options);
    return { orders, ask: this.asking(createForward(orders, forwards)) };
  }

  /** What a client asks of a gateway. */
  asking(forward: Forward): Ask {
    return (path = "/", init, client) => forward(new Request(`http://shop.test${this.root}${path}`, init), client);
  }

  keep<B extends Balancer>(balancer: B): B {
    this.#open.push(balancer);
    return balancer;
  }

  /** Requests of this check that have come to backends, such as "POST a /x". */
  async received(): Promise<string[]> {
    const response = await fetch(`${this.addresses.good}/journal${this.root}`);
    return (await response.json()) as string[];
  }

  /** Nothing may be left: every place is given back by itself, and closing has nothing to wait for. */
  async end(): Promise<void> {
    for (const balancer of this.#open) {
      const held = (): number =>
        balancer.snapshot().backends.reduce((sum, { requests, connections }) => sum + requests + connections, 0);
      if (balancer.snapshot().state === "open") await until(() => held() === 0, "every place is given back");
      await balancer.close({ drainMs: 200 });
      equal([held(), balancer.snapshot().waiting], [0, 0], "places held and calls waiting after close");
    }
  }
}
