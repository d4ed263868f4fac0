import { type Balancer, type BalancerOptions, createBalancer } from "@fairlead/core";
import { createFetch } from "@fairlead/fetch";
import { createRequest, undiciTransport } from "@fairlead/fetch/undici";
import { BalancedPool, Pool, fetch as undiciFetch } from "undici";
import { everythingOn, UNARMED } from "../everything-on.ts";
import { withCockatiel } from "./cockatiel.ts";
import type { Send } from "./load.ts";

const PATH = "/v1/orders/7";

export type VariantName =
  | "bare Pool.request, 3 Pools in turn"
  | "bare BalancedPool.request"
  | "bare Pool.request in cockatiel's retry, breaker, timeout"
  | "createRequest, timeouts and retries off"
  | "createRequest, defaults"
  | "createRequest, everything on, timeouts and retries off"
  | "createRequest, everything on, retries and deadline armed"
  | "bare undici fetch"
  | "createFetch over undici fetch"
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
  const fetchUndici = createFetch(forUndici, {
    fetch: undiciTransport({ fetch: undiciFetch as unknown as typeof fetch }),
  });
  const fetchGlobal = createFetch(forGlobal, { fetch: undiciTransport() });
  const nextPool = inTurn(pools);
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
      "bare undici fetch": async () => (await undiciFetch(nextUrl())).text(),
      "createFetch over undici fetch": async () => (await fetchUndici(PATH)).text(),
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
