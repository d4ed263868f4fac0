// A worker as people write them: its balancers are made while the module loads, and serve all of its requests.
import { createBalancer, first, hedging, rateLimit } from "@fairlead/core";
import { createFetch } from "@fairlead/fetch";
import { fairlead } from "fairlead";

declare const BACKENDS: string;

const backend = (id: string) => ({ id, url: `${BACKENDS}/${id}` });
const queue = { timeoutMs: 5_000, size: 10 };

const balancers = {
  plain: fairlead({ name: "plain", backends: ["a", "b"].map(backend) }),
  silent: fairlead({ name: "silent", backends: [backend("silent")], attemptTimeoutMs: 200, retry: false }),
  one: fairlead({ name: "one", backends: [backend("slow")], limits: { maxConcurrent: 1 }, queue }),
  rated: fairlead({
    name: "rated",
    backends: [backend("a")],
    limits: { rate: rateLimit({ perSecond: 10, burst: 1, delay: true }) },
    queue,
  }),
  hedged: createBalancer({
    name: "hedged",
    backends: ["slow", "a"].map(backend),
    strategy: first(),
    hedge: hedging({ delayMs: 50 }),
  }),
  left: fairlead({ name: "left", backends: [backend("drip")], bodyIdleTimeoutMs: 200 }),
};
const fetches = Object.fromEntries(Object.entries(balancers).map(([name, balancer]) => [name, createFetch(balancer)]));

export default {
  /** `/plain/…` is answered by the balancer of that name, `/state/plain` with what it holds. */
  async fetch(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const [, name = "", ...rest] = pathname.split("/");
    if (name === "state") return Response.json(stateOf(rest[0] as keyof typeof balancers));
    try {
      const response = await fetches[name]?.(`/${rest.join("/")}${search}`);
      return new Response(response?.body, response);
    } catch (error) {
      return new Response((error as Error).name, { status: 500 });
    }
  },
};

function stateOf(name: keyof typeof balancers): unknown {
  const { waiting, calls, backends } = balancers[name].snapshot();
  return { waiting, calls, held: backends.reduce((sum, { requests }) => sum + requests, 0) };
}
