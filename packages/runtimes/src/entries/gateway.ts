// A worker that stands between clients and backends: its gateway is made while the module loads.
import { roundRobin } from "@fairlead/core";
import { cookieAffinity } from "@fairlead/fetch";
import { fairlead } from "fairlead";

declare const BACKENDS: string;

const orders = fairlead({
  name: "orders",
  backends: ["a", "b", "c"].map((id) => ({ id, url: `${BACKENDS}/${id}` })),
  strategy: roundRobin(),
  forward: {
    trust: { header: "cf-connecting-ip" },
    affinity: cookieAffinity({ keys: ["a secret of these tests, longer than 32 characters"] }),
  },
});
const others = ["broken", "gzip", "large", "whole"].map((id) =>
  fairlead({ name: id, backends: [{ id, url: `${BACKENDS}/${id}` }] }),
);

export default {
  /** `/state` is answered with what is held, `/gzip/…` and the like by the backend of that name. */
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/state") return Response.json(stateOf());
    const { forward } = others.find(({ name }) => pathname.startsWith(`/${name}/`)) ?? orders;
    return forward(request);
  },
};

function stateOf(): unknown {
  const { calls, backends } = orders.snapshot();
  const held = [orders, ...others]
    .flatMap((one) => one.snapshot().backends)
    .reduce((sum, { requests, connections }) => sum + requests + connections, 0);
  return { calls, held, successes: backends.map(({ successes }) => successes) };
}
