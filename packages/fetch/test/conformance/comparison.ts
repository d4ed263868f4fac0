import { createBalancer } from "@fairlead/core";
import { createFetch } from "../../src/index.ts";
import { BalancedDispatcher, undiciTransport } from "../../src/undici/index.ts";
import { abortCases } from "./aborts.ts";
import { bodyCases } from "./bodies.ts";
import { DISPATCHER_EXCEPTIONS, EXCEPTIONS, type Exception, PLAIN_EXCEPTIONS, takesDispatcher } from "./exceptions.ts";
import { inputCases } from "./inputs.ts";
import { redirectCases } from "./redirects.ts";
import { responseCases } from "./responses.ts";
import { ConformanceServer } from "./server.ts";
import { type Case, observe, type Site } from "./site.ts";

export const cases: readonly Case[] = [...bodyCases, ...redirectCases, ...abortCases, ...responseCases, ...inputCases];

/** One case by a balanced `fetch` and by the bare one. */
export interface Compared {
  readonly way: string;
  /** Why they may differ. */
  readonly why: string | undefined;
  readonly differs: boolean;
  /** What is left of both when what may differ is taken away. */
  readonly seen: unknown;
  readonly expected: unknown;
}

interface Way {
  readonly site: Site;
  readonly exceptions: readonly Exception[];
  readonly takes: (one: Case) => boolean;
}

const REST_MS = 2_000;

/** A bare `fetch` and balanced ones side by side, over the same servers. */
export class Comparison {
  readonly server: ConformanceServer = new ConformanceServer();
  readonly #other = new ConformanceServer();
  #bare: Site | undefined;
  #ways: readonly Way[] = [];
  #inFlight = (): number => 0;
  #stop = async (): Promise<void> => {};

  async start(): Promise<this> {
    const [server, other] = [this.server, this.#other];
    await Promise.all([server.start(), other.start()]);
    const backends = [server.url];
    // Node 26 sends Sec-Fetch-Mode to who can be trusted: to HTTPS, and to this machine, where bare fetch goes. Bare fetch
    // repeats nothing.
    const origin = "http://orders.localhost";
    const balancer = createBalancer({ name: "orders", origin, backends, retry: false, ejection: false });
    const dispatcher = new BalancedDispatcher(balancer);
    const site = (name: string, own: typeof fetch): Site => ({ name, fetch: own, origin, server, other });
    this.#bare = { name: "fetch", fetch, origin: server.url, server, other };
    const plain = site("createFetch", createFetch(balancer));
    const byUndici = site("createFetch(undiciTransport)", createFetch(balancer, { fetch: undiciTransport() }));
    const dispatched = site("fetch through BalancedDispatcher", (input, init) =>
      fetch(input, { ...init, dispatcher } as RequestInit),
    );
    this.#ways = [
      { site: plain, exceptions: [...EXCEPTIONS, ...PLAIN_EXCEPTIONS], takes: () => true },
      { site: byUndici, exceptions: EXCEPTIONS, takes: () => true },
      { site: dispatched, exceptions: DISPATCHER_EXCEPTIONS, takes: takesDispatcher },
    ];
    this.#inFlight = () => balancer.backends[0]?.inFlight("request") ?? 0;
    this.#stop = async () => {
      await balancer.close({ drainMs: 0 });
      server.stop();
      other.stop();
    };
    return this;
  }

  async stop(): Promise<void> {
    await this.#stop();
  }

  /** @throws Error if a lease is held, or an answer under way, long after a call */
  async compare(one: Case): Promise<Compared[]> {
    if (this.#bare === undefined) throw new Error("it is not started");
    const expected = await observe(this.#bare, one);
    await this.#atRest();
    const all: Compared[] = [];
    for (const { site, exceptions } of this.#ways.filter(({ takes }) => takes(one))) {
      const seen = await observe(site, one);
      await this.#atRest();
      const exception = exceptions.find((each) => each.cases.includes(one.name));
      const without = exception?.without ?? ((observation) => observation);
      all.push({
        way: site.name,
        why: exception?.why,
        differs: JSON.stringify(seen) !== JSON.stringify(expected),
        seen: without(seen),
        expected: without(expected),
      });
    }
    return all;
  }

  async #atRest(): Promise<void> {
    const open = (): readonly number[] => [this.#inFlight(), this.server.open, this.#other.open];
    const startedMs = performance.now();
    while (open().some((count) => count > 0)) {
      if (performance.now() - startedMs > REST_MS) throw new Error(`leases and answers still there: ${open().join()}`);
      await new Promise((resolve) => {
        setTimeout(resolve, 2);
      });
    }
  }
}
