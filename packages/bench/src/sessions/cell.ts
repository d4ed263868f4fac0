// Measures sessions by cookie in a process of its own: ten backends, ten thousand clients by turns.
// Argument: effort as JSON.
import { type Balancer, createBalancer, createRandom, type PickRequest, type RoutableRequest } from "@fairlead/core";
import { cookieAffinity } from "@fairlead/fetch";
import { specs } from "../inputs.ts";
import { bytes, type Effort, type Loop, nanoseconds } from "../measure/rounds.ts";

export type SessionLoop =
  | "a lease by strategy"
  | "a lease where the session lives"
  | "a known cookie to its backend"
  | "nothing to be set";

export interface SessionsCell {
  readonly ns: Readonly<Record<SessionLoop, readonly number[]>>;
  readonly bytes: Readonly<Record<SessionLoop, readonly number[]>>;
}

const BACKENDS = 10;
const SESSIONS = 10_000;
const SHOP: RoutableRequest = { method: "GET", host: "shop", path: "/", search: "", header: () => undefined };

interface Client {
  readonly request: RoutableRequest;
  readonly home: string;
}

const balancer = createBalancer({ name: "bench", backends: specs(BACKENDS), random: createRandom(1) });
const affinity = cookieAffinity({ keys: ["3q8Zr0vXn5kWb1tYc7uGm9sLd2hPe6fJ"] });

/** Each with its own cookie of the application before that of the affinity, in a text that nobody has hashed. */
async function clients(): Promise<readonly Client[]> {
  const made: Client[] = [];
  for (let index = 0; index < SESSIONS; index++) {
    const home = balancer.backends[index % BACKENDS];
    if (home === undefined) throw new Error("no backends");
    const setCookie = (await affinity.keep(SHOP, undefined, home, balancer)) ?? "";
    const field = Buffer.from(`sid=${index}; theme=dark; ${setCookie.slice(0, setCookie.indexOf(";"))}`).toString(
      "latin1",
    );
    made.push({ request: { ...SHOP, header: () => field }, home: home.id });
  }
  return made;
}

function leases(over: Balancer, requests: readonly PickRequest[]): Loop {
  let turn = 0;
  return (count) => {
    for (let i = 0; i < count; i++) {
      turn = turn + 1 === requests.length ? 0 : turn + 1;
      const lease = over.tryAcquire(requests[turn]);
      if (lease === undefined) throw new Error("nothing was picked");
      lease.settle({ outcome: "success", latencyMs: 5 });
      lease.release();
    }
  };
}

function found(all: readonly Client[]): Loop {
  let turn = 0;
  return (count) => {
    for (let i = 0; i < count; i++) {
      turn = turn + 1 === all.length ? 0 : turn + 1;
      const { request, home } = all[turn] as Client;
      if (affinity.find(request, balancer) !== home) throw new Error("a known cookie was not found at once");
    }
  };
}

function kept(all: readonly Client[]): Loop {
  let turn = 0;
  return (count) => {
    for (let i = 0; i < count; i++) {
      turn = turn + 1 === all.length ? 0 : turn + 1;
      const { request, home } = all[turn] as Client;
      const backend = balancer.backend(home);
      if (backend === undefined || affinity.keep(request, home, backend, balancer) !== undefined) {
        throw new Error("a cookie was set that need not be");
      }
    }
  };
}

const all = await clients();
const loops: Record<SessionLoop, Loop> = {
  "a lease by strategy": leases(
    balancer,
    all.map(() => ({})),
  ),
  "a lease where the session lives": leases(
    balancer,
    all.map(({ home }) => ({ pinned: home, pinPolicy: "redistribute" })),
  ),
  "a known cookie to its backend": found(all),
  "nothing to be set": kept(all),
};
const effort = JSON.parse(process.argv[2] ?? "") as Effort;
process.send?.({ ns: await nanoseconds(loops, effort), bytes: await bytes(loops, effort) } satisfies SessionsCell);
