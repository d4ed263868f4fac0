// What a caller and a server see of a `fetch`: a bare one and balanced ones side by side.
import { createBalancer } from "@fairlead/core";
import { afterAll, expect, test, vi } from "vitest";
import { createFetch } from "../src/index.ts";
import { undiciTransport } from "../src/undici/index.ts";
import { Comparison, cases } from "./conformance/comparison.ts";
import { DISPATCHER_EXCEPTIONS, EXCEPTIONS, PLAIN_EXCEPTIONS } from "./conformance/exceptions.ts";

const comparison = await new Comparison().start();
const { server } = comparison;

afterAll(() => comparison.stop());

test.each(cases.map((one) => [one.name, one] as const))("%s", async (_name, one) => {
  for (const { way, why, differs, seen, expected } of await comparison.compare(one)) {
    expect(seen, way).toEqual(expected);
    if (why !== undefined) expect(differs, `${way} is no exception here any more: ${why}`).toBe(true);
  }
});

test("every case has a name of its own, and every exception a case", () => {
  const names = cases.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const excepted = [...EXCEPTIONS, ...PLAIN_EXCEPTIONS, ...DISPATCHER_EXCEPTIONS].flatMap((each) => each.cases);
  expect(excepted.filter((name) => !names.includes(name))).toEqual([]);
  expect(names.length).toBeGreaterThan(250);
});

test("undici's connections end with the balancer", async () => {
  const own = createBalancer({ name: "orders", backends: [server.url] });
  const before = await server.connections();
  const call = createFetch(own, { fetch: undiciTransport() });
  await Promise.all([1, 2, 3].map(async () => (await call("/x")).text()));
  expect(await server.connections()).toBeGreaterThan(before);
  await own.close({ drainMs: 0 });
  await vi.waitFor(async () => expect(await server.connections()).toBeLessThanOrEqual(before));
});
