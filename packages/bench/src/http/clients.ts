import {
  type Balancer,
  type BalancerOptions,
  createBalancer,
  createRouter,
  headerAffinity,
  maglev,
  type Router,
} from "@fairlead/core";
import { createFetch } from "@fairlead/fetch";
import { createRequest, undiciTransport } from "@fairlead/fetch/undici";
import { BalancedPool, Pool, fetch as undiciFetch } from "undici";
import { everythingOn, UNARMED } from "../everything-on.ts";
import { withCockatiel } from "./cockatiel.ts";
import type { Send } from "./load.ts";

const PATH = "/v1/orders/7";
const SESSIONS = Array.from({ length: 10_000 }, (_, index) => ({ headers: { "x-session": `session-${index}` } }));

export type VariantName =
  | "bare Pool.request, 3 Pools in turn"
  | "bare BalancedPool.request"
  | "bare Pool.request in cockatiel's retry, breaker, timeout"
  | "createRequest, timeouts and retries off"
  | "createRequest, defaults"
  | "createRequest, everything on, timeouts and retries off"
  | "createRequest, everything on, retries and deadline armed"
  | "bare Pool.request with a header"
  | "createRequest, two routes, affinity by header, everything on, timeouts and retries off"
  | "bare undici fetch"
  | "createFetch over undici fetch"
  | "bare undici fetch with a header"
  | "createFetch over undici fetch, two routes, affinity by header"
  | "bare global fetch"
  | "createFetch over global fetch";

export interface Clients {
  readonly send: Readonly<Record<VariantName, Send>>;
  close(): Promise<void>;
}

/** Every way of making the same request that is compared. Each is a function of its own, with connections of its own. */
export function createClients(origins: readonly string[]): Clients {
  const pools = origins.map((origin) => new Pool(origin));
  const balancedPool = new BalancedPool([...origins]);
  const balancers: Balancer[] = [];
  const balancer = (options: Partial<BalancerOptions> = {}): Balancer => {
    const made = createBalancer({ name: "bench", backends: origins, ...options });
    balancers.push(made);
    return made;
  };
  const forUndici = balancer();
  const forGlobal = balancer();
  const requestOff = createRequest(balancer(UNARMED));
  const request = createRequest(balancer());
  const requestOn = createRequest(balancer({ ...everythingOn(), ...UNARMED }));
  const requestArmed = createRequest(balancer(everythingOn()));
  const undici = undiciTransport({ fetch: undiciFetch as unknown as typeof fetch });
  const fetchUndici = createFetch(forUndici, { fetch: undici });
  /** Two routes, of which the second takes everything; a strategy that hashes places its sessions. */
  const routed = (options: Partial<BalancerOptions>): Router =>
    createRouter({
      routes: [
        { path: "/v1/users", to: balancer(options) },
        { path: "/v1/orders", to: balancer({ ...options, strategy: maglev() }), affinity: headerAffinity("x-session") },
      ],
    });
  const requestRouted = createRequest(routed({ ...everythingOn(), ...UNARMED }));
  const fetchRouted = createFetch(routed({}), { fetch: undici });
  const fetchGlobal = createFetch(forGlobal, { fetch: undiciTransport() });
  const nextPool = inTurn(pools);
  const nextSession = inTurn(SESSIONS);
  const nextUrl = inTurn(origins.map((origin) => origin + PATH));
  return {
    send: {
      "bare Pool.request, 3 Pools in turn": async () =>
        (await nextPool().request({ path: PATH, method: "GET" })).body.text(),
      "bare BalancedPool.request": async () => (await balancedPool.request({ path: PATH, method: "GET" })).body.text(),
      "bare Pool.request in cockatiel's retry, breaker, timeout": withCockatiel(async (signal) =>
        (await nextPool().request({ path: PATH, method: "GET", signal })).body.text(),
      ),
      "createRequest, timeouts and retries off": async () => (await requestOff(PATH)).body.text(),
      "createRequest, defaults": async () => (await request(PATH)).body.text(),
      "createRequest, everything on, timeouts and retries off": async () => (await requestOn(PATH)).body.text(),
      "createRequest, everything on, retries and deadline armed": async () => (await requestArmed(PATH)).body.text(),
      "bare Pool.request with a header": async () =>
        (await nextPool().request({ path: PATH, method: "GET", ...nextSession() })).body.text(),
      "createRequest, two routes, affinity by header, everything on, timeouts and retries off": async () =>
        (await requestRouted(PATH, nextSession())).body.text(),
      "bare undici fetch": async () => (await undiciFetch(nextUrl())).text(),
      "createFetch over undici fetch": async () => (await fetchUndici(PATH)).text(),
      "bare undici fetch with a header": async () => (await undiciFetch(nextUrl(), nextSession())).text(),
      "createFetch over undici fetch, two routes, affinity by header": async () =>
        (await fetchRouted(PATH, nextSession())).text(),
      "bare global fetch": async () => (await fetch(nextUrl())).text(),
      "createFetch over global fetch": async () => (await fetchGlobal(PATH)).text(),
    },
    close: async () => {
      await Promise.all([...balancers, ...pools, balancedPool].map((client) => client.close()));
    },
  };
}

function inTurn<T>(items: readonly T[]): () => T {
  let turn = 0;
  return () => {
    turn = turn + 1 === items.length ? 0 : turn + 1;
    return items[turn] as T;
  };
}
