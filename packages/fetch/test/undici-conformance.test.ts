import { expect, test } from "vitest";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { httpServer } from "./support/servers.ts";
import { respond } from "./undici-conformance/backend.ts";
import { CASES } from "./undici-conformance/cases.ts";
import { bare, seenOf, ways } from "./undici-conformance/ways.ts";

test.each(CASES)("$name", async ({ path = "/", options = () => ({}), isAnswer = false }) => {
  const server = await httpServer(respond);
  const expected = await seenOf(bare.open(balancerOver([server.url]), server.url)(path, options()));
  for (const way of ways) {
    const balancer = balancerOver([server.url], { retry: false });
    const seen = await seenOf(way.open(balancer, server.url)(path, options()));
    expect(seen, way.name).toEqual(expected);
    await idle(balancer);
    // The caller's own mistakes and aborts are no backend's fault.
    if (!isAnswer) expect(counters(balancer, 0), way.name).toMatchObject({ failures: 0, unreached: 0 });
  }
});
