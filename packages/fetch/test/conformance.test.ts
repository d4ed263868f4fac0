// What a caller and a server see of a `fetch`: a bare one and balanced ones side by side.
import { createBalancer } from "@fairlead/core";
import { afterAll, expect, test, vi } from "vitest";
import { createFetch } from "../src/index.ts";
import { BalancedDispatcher, undiciTransport } from "../src/undici/index.ts";
import { abortCases } from "./conformance/aborts.ts";
import { bodyCases } from "./conformance/bodies.ts";
import {
  DISPATCHER_EXCEPTIONS,
  EXCEPTIONS,
  type Exception,
  PLAIN_EXCEPTIONS,
  takesDispatcher,
} from "./conformance/exceptions.ts";
import { inputCases } from "./conformance/inputs.ts";
import { redirectCases } from "./conformance/redirects.ts";
import { responseCases } from "./conformance/responses.ts";
import { ConformanceServer } from "./conformance/server.ts";
import { type Case, observe, type Site } from "./conformance/site.ts";

const server = new ConformanceServer();
const other = new ConformanceServer();
await Promise.all([server.start(), other.start()]);

// Bare fetch repeats nothing.
const balancer = createBalancer({ name: "orders", backends: [server.url], retry: false, ejection: false });
const dispatcher = new BalancedDispatcher(balancer);

interface Balanced {
  readonly site: Site;
  readonly exceptions: readonly Exception[];
  readonly takes: (one: Case) => boolean;
}

const site = (name: string, own: typeof fetch): Site => ({ name, fetch: own, origin: balancer.origin, server, other });

const bare: Site = { name: "fetch", fetch, origin: server.url, server, other };
const balanced: readonly Balanced[] = [
  {
    site: site("createFetch", createFetch(balancer)),
    exceptions: [...EXCEPTIONS, ...PLAIN_EXCEPTIONS],
    takes: () => true,
  },
  {
    site: site("createFetch(undiciTransport)", createFetch(balancer, { fetch: undiciTransport() })),
    exceptions: EXCEPTIONS,
    takes: () => true,
  },
  {
    site: site("fetch through BalancedDispatcher", (input, init) =>
      fetch(input, { ...init, dispatcher } as RequestInit),
    ),
    exceptions: DISPATCHER_EXCEPTIONS,
    takes: takesDispatcher,
  },
];

const cases: readonly Case[] = [...bodyCases, ...redirectCases, ...abortCases, ...responseCases, ...inputCases];

/** No lease is held, and no answer is under way. */
const open = (): unknown => [balancer.backends[0]?.inFlight("request"), server.open, other.open];

const atRest = (): Promise<void> =>
  vi.waitFor(() => expect(open()).toEqual([0, 0, 0]), { interval: 2, timeout: 2_000 });

afterAll(async () => {
  await balancer.close({ drainMs: 0 });
  server.stop();
  other.stop();
});

test.each(cases.map((one) => [one.name, one] as const))("%s", async (_name, one) => {
  const expected = await observe(bare, one);
  await atRest();
  for (const { site: own, exceptions } of balanced.filter((each) => each.takes(one))) {
    const seen = await observe(own, one);
    await atRest();
    const exception = exceptions.find(({ cases: names }) => names.includes(one.name));
    if (exception === undefined) expect(seen, own.name).toEqual(expected);
    else {
      expect(exception.without(seen), own.name).toEqual(exception.without(expected));
      expect(seen, `${own.name} is no exception here any more: ${exception.why}`).not.toEqual(expected);
    }
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
