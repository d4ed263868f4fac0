import { readFileSync } from "node:fs";
import { createBalancer, first } from "@fairlead/core";
import { beforeAll, describe, expect, test } from "vitest";
import { BODIES, type Body, clients, type RepeatingClient } from "./repeats/clients.ts";
import { FAILURES, type Failure } from "./repeats/failures.ts";
import { isRepeated, isTaken, METHODS } from "./repeats/rule.ts";
import { type SeenCall, tablesOf } from "./repeats/tables.ts";
import { idle } from "./support/balancers.ts";
import { httpServer } from "./support/servers.ts";

/** Every method with every body, by every client, to a backend that fails in every way, with another one beside it. */
const seen: SeenCall[] = [];

beforeAll(async () => {
  for (const client of clients) for (const failure of FAILURES) seen.push(...(await observed(client, failure)));
}, 60_000);

function pathOf(body: Body): string {
  return `/${BODIES.indexOf(body)}`;
}

async function observed(client: RepeatingClient, failure: Failure): Promise<SeenCall[]> {
  const bad = await failure.start();
  const good = await httpServer((_request, response) => response.end());
  const balancer = createBalancer({
    name: "orders",
    backends: [bad.url, good.url],
    strategy: first(),
    ejection: false,
    retry: { limit: 1, delayMs: 0 },
    retryBudget: false,
    requeueBudget: false,
    ...failure.options,
  });
  const send = client.connect(balancer);
  const calls = METHODS.flatMap((method) => BODIES.map((body) => ({ method, body })));
  await Promise.all(calls.map(({ method, body }) => send(method, pathOf(body), body).catch(() => {})));
  await idle(balancer);
  await balancer.close({ drainMs: 0 });
  return calls.map(({ method, body }) => {
    const count = (received: readonly string[] = []): number =>
      received.filter((line) => line === `${method} ${pathOf(body)}`).length;
    return { client, failure, method, body, atFirst: count(bad.received), elsewhere: count(good.received) };
  });
}

describe.each(clients)("$name", (client) => {
  test.each(FAILURES)("after $name", (failure) => {
    const calls = seen.filter((call) => call.client === client && call.failure === failure);
    expect(calls).toHaveLength(METHODS.length * BODIES.length);
    const told = calls.map(({ method, body, atFirst, elsewhere }) => `${method} ${body}: ${atFirst} + ${elsewhere}`);
    const ruled = calls.map((call) => {
      const { method, body, elsewhere } = call;
      if (!isTaken(call)) return `${method} ${body}: 0 + 0`;
      const isAgain = isRepeated(call) ?? elsewhere === 1;
      return `${method} ${body}: ${failure.sent === true ? 1 : 0} + ${isAgain ? 1 : 0}`;
    });
    expect(told).toEqual(ruled);
  });
});

test("the documentation has what was seen", () => {
  const page = readFileSync(new URL("../../../docs/never-sent.md", import.meta.url), "utf8");
  const rows = page
    .split("\n")
    .filter((line) => /^\|(?! -)/.test(line))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  expect(rows).toEqual(tablesOf(seen));
});
