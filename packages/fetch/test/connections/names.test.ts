import type { ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import { virtualClock } from "@fairlead/core/testing";
import { expect, test, vi } from "vitest";
import {
  createRequest,
  type NameOptions,
  type PoolOptions,
  type Resolution,
  systemResolver,
} from "../../src/undici/index.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { httpServer } from "../support/servers.ts";
import { deafAddress } from "./deaf-address.ts";
import { scriptedNames, statsOf, untilStats } from "./support.ts";

async function arrange(port: number, answer: Resolution | Error, names: NameOptions = {}, pool: PoolOptions = {}) {
  const script = scriptedNames(answer);
  const clock = virtualClock();
  const balancer = balancerOver([`http://orders.test:${port}`], { clock, retry: false });
  const request = createRequest(balancer, {
    pool: { keepAliveTimeout: 60_000, ...pool, names: { resolve: script.resolve, ...names } },
  });
  const ask = async (path = "/"): Promise<string> => {
    const text = await (await request(path)).body.text();
    await setImmediate();
    return text;
  };
  return { script, clock, balancer, request, ask };
}

/** Servers on one port of several addresses, that answer with the address. */
async function serversOn(hosts: readonly string[]) {
  const [first = "", ...others] = hosts;
  const server = await httpServer(respondWith(first), { host: first });
  const { port } = server;
  const more = await Promise.all(others.map((host) => httpServer(respondWith(host), { host, port })));
  return { port, servers: [server, ...more] };
}

const respondWith =
  (text: string) =>
  (_request: unknown, response: ServerResponse): void =>
    void response.end(text);

const respondOk = respondWith("ok");

for (const [title, ttlMs, heldMs] of [
  ["as long as DNS says", 7_000, 7_000],
  ["at least a second", 0, 1_000],
  ["five minutes at most", 86_400_000, 300_000],
  ["30 seconds if nobody says", undefined, 30_000],
  ["30 seconds if what is said is no time", Number.NaN, 30_000],
  ["as long as is said later", Promise.resolve(9_000), 9_000],
] as const) {
  test(`addresses hold ${title}, and are asked for again while there are connections`, async () => {
    const server = await httpServer(respondOk);
    const answer = { addresses: ["127.0.0.1"], ttlMs };
    const { script, clock, ask } = await arrange(server.port, answer, {}, { maxConnectionAgeMs: false });
    await ask();
    await ask();
    await clock.advance(heldMs - 1);
    expect(script.asked).toEqual(["orders.test"]);
    await clock.advance(1);
    expect(script.asked).toHaveLength(2);
  });
}

test("names are not looked up by the clock when there is no connection, but for the next one", async () => {
  const server = await httpServer((_request, response) => {
    response.setHeader("connection", "close");
    response.end("ok");
  });
  const { script, clock, balancer, ask } = await arrange(server.port, { addresses: ["127.0.0.1"], ttlMs: 5_000 });
  await ask();
  await untilStats(balancer, { connected: 0 });
  await clock.advance(60_000);
  expect(script.asked).toHaveLength(1);
  await ask();
  expect(script.asked).toHaveLength(2);
});

test("when an address vanishes, idle connections to it close at once and busy ones after their request", async () => {
  const started = Promise.withResolvers<ServerResponse>();
  const old = await httpServer((request, response) => {
    if (request.url !== "/long") {
      response.end("old");
      return;
    }
    response.write("some ");
    started.resolve(response);
  });
  const next = await httpServer((_request, response) => void response.end("new"), {
    host: "127.0.0.2",
    port: old.port,
  });
  const { script, clock, balancer, request, ask } = await arrange(old.port, { addresses: ["127.0.0.1"], ttlMs: 5_000 });
  const long = await request("/long");
  expect(await ask()).toBe("old");
  expect(statsOf(balancer)).toMatchObject({ connected: 2, free: 1 });
  script.answer = { addresses: ["127.0.0.2"], ttlMs: 5_000 };
  await clock.advance(5_000);
  await vi.waitFor(() => expect(old.sockets.size).toBe(1));
  expect(await ask()).toBe("new");
  (await started.promise).end("more");
  expect(await long.body.text()).toBe("some more");
  await vi.waitFor(() => expect(old.sockets.size).toBe(0));
  expect(next.sockets.size).toBe(1);
  await idle(balancer);
});

for (const [title, answer] of [
  ["fails", new Error("SERVFAIL")],
  ["is empty", { addresses: [] }],
  ["makes no sense", { addresses: ["not an address"] }],
  ["is no answer", {} as Resolution],
  ["knows only a part", { addresses: ["127.0.0.2"], complete: false }],
] as const) {
  test(`an answer that ${title} closes nothing, and what was known serves on`, async () => {
    const server = await httpServer(respondOk);
    const { script, clock, balancer, ask } = await arrange(server.port, { addresses: ["127.0.0.1"], ttlMs: 5_000 });
    await ask();
    script.answer = answer;
    await clock.advance(5_000);
    await setImmediate();
    expect(script.asked).toHaveLength(2);
    expect(statsOf(balancer)).toMatchObject({ connected: 1, free: 1 });
    // It is tried again, five seconds later.
    await clock.advance(5_000);
    expect(script.asked.length).toBeGreaterThanOrEqual(answer instanceof Error ? 3 : 2);
    expect(await ask()).toBe("ok");
    // A new connection as well.
    await Promise.all([ask(), ask()]);
    expect(server.sockets.size).toBe(2);
  });
}

test("when no answer comes, what was known serves on after a quarter of a second", async () => {
  const server = await httpServer(respondOk);
  const clock = virtualClock();
  const balancer = balancerOver([`http://orders.test:${server.port}`], { clock });
  const answers: Promise<Resolution>[] = [Promise.resolve({ addresses: ["127.0.0.1"], ttlMs: 1_000 })];
  const resolve = (): Promise<Resolution> => answers.shift() ?? new Promise(() => {});
  const request = createRequest(balancer, { pool: { names: { resolve }, maxRequestsPerClient: 1 } });
  await (await request("/")).body.text();
  await untilStats(balancer, { connected: 0 });
  await clock.advance(2_000);
  const late = request("/");
  await clock.advance(249);
  expect(server.received).toHaveLength(1);
  await clock.advance(1);
  expect(await (await late).body.text()).toBe("ok");
});

test("a question that never ends keeps nobody from asking again, and is not heard when it does end after all", async () => {
  const server = await httpServer(respondOk);
  const clock = virtualClock();
  const balancer = balancerOver([`http://orders.test:${server.port}`], {
    clock,
    connectTimeoutMs: false,
    retry: false,
  });
  const first = Promise.withResolvers<Resolution>();
  const asked: string[] = [];
  const resolve = (name: string): Promise<Resolution> =>
    asked.push(name) === 1 ? first.promise : Promise.resolve({ addresses: ["127.0.0.1"] });
  const request = createRequest(balancer, { pool: { names: { resolve } } });
  const attempt = request("/", { fairlead: { attemptTimeoutMs: 1_000 } }).catch((error: Error) => error.name);
  await clock.advance(30_000);
  expect(await attempt).toBe("TimeoutError");
  expect(await (await request("/")).body.text()).toBe("ok");
  expect(asked).toHaveLength(2);
  first.resolve({ addresses: ["127.0.0.9"] });
  await setImmediate();
  expect(await (await request("/", { reset: true })).body.text()).toBe("ok");
  await balancer.close({ drainMs: 0 });
  expect(clock.pending).toBe(0);
});

test("after a failed connection the name is looked up again, and the next one goes to the new address", async () => {
  const { port, servers } = await serversOn(["127.0.0.1", "127.0.0.2"]);
  servers[0]?.close();
  const { script, clock, balancer, ask } = await arrange(port, { addresses: ["127.0.0.1"], ttlMs: 300_000 });
  await expect(ask()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  script.answer = { addresses: ["127.0.0.2"], ttlMs: 300_000 };
  await clock.advance(1_000);
  await expect(ask()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(await ask()).toBe("127.0.0.2");
  expect(script.asked).toHaveLength(2);
  expect(counters(balancer, 0)).toMatchObject({ unreached: 2 });
});

test("a name that nobody knows is unreached, at once", async () => {
  const unknown = Object.assign(new Error("getaddrinfo ENOTFOUND orders.test"), { code: "ENOTFOUND" });
  const { balancer, ask } = await arrange(1, unknown);
  await expect(ask()).rejects.toMatchObject({ code: "ENOTFOUND" });
  expect(counters(balancer, 0)).toMatchObject({ unreached: 1 });
});

test("both families are tried, and what does not answer is tried last from then on", async () => {
  const server = await httpServer(respondOk);
  const { balancer, request } = await arrange(server.port, { addresses: ["::1", "127.0.0.1"] });
  const answers = await Promise.all([1, 2, 3].map(async () => (await request("/")).body.text()));
  expect(answers).toEqual(["ok", "ok", "ok"]);
  expect(counters(balancer, 0)).toMatchObject({ successes: 3, unreached: 0 });
  await untilStats(balancer, { free: 3 });
  const other = await httpServer(respondOk, { host: "::1", port: server.port });
  // The one that did not answer is not asked while another one does.
  await Promise.all([1, 2, 3, 4].map(async () => (await request("/")).body.text()));
  expect([server.sockets.size, other.sockets.size]).toEqual([4, 0]);
});

test("an address that says nothing holds up the first connection by 250 ms, and no other", async () => {
  const deaf = await deafAddress("127.0.0.2");
  const server = await httpServer(respondOk, { port: deaf.port });
  const balancer = balancerOver([`http://orders.test:${server.port}`]);
  const { resolve } = scriptedNames({ addresses: ["127.0.0.1", "127.0.0.2"] });
  const request = createRequest(balancer, { pool: { names: { resolve } } });
  const times: number[] = [];
  for (let count = 0; count < 3; count++) {
    const startMs = performance.now();
    // No connection is kept, so each makes one.
    await (await request("/", { reset: true })).body.text();
    times.push(performance.now() - startMs);
    await untilStats(balancer, { connected: 0 });
  }
  const slow = times.filter((ms) => ms > 200);
  expect(slow.length).toBeLessThanOrEqual(1);
  expect(Math.max(...times)).toBeLessThan(900);
  expect(slow).toHaveLength(1);
});

test("connections spread over the addresses of a name", async () => {
  const hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
  const { port } = await serversOn(hosts);
  const { request } = await arrange(port, { addresses: hosts });
  const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(async () => (await request("/")).body.text()));
  expect(answers.toSorted()).toEqual([...hosts, ...hosts].toSorted());
});

test("addresses in the URL are not looked up, nor is anything with `names: false`", async () => {
  const server = await httpServer(respondOk);
  const script = scriptedNames(new Error("not to be asked"));
  const pool = { names: { resolve: script.resolve } };
  const v6 = await httpServer(respondOk, { host: "::1" });
  for (const url of [server.url, v6.url]) {
    const balancer = balancerOver([url]);
    expect(await (await createRequest(balancer, { pool })("/")).body.text()).toBe("ok");
  }
  const local = balancerOver([server.url.replace("127.0.0.1", "localhost")]);
  expect(await (await createRequest(local, { pool: { names: false } })("/")).body.text()).toBe("ok");
  expect(script.asked).toEqual([]);
});

test("the system's resolver knows names of this machine, and for those no time", async () => {
  const { addresses, ttlMs } = await systemResolver()("localhost", new AbortController().signal);
  expect(addresses).toContain("127.0.0.1");
  expect(await ttlMs).toBeUndefined();
});

test("no timer and no question is left when the balancer has closed", async () => {
  const server = await httpServer(respondOk);
  const { script, clock, balancer, ask } = await arrange(server.port, { addresses: ["127.0.0.1"] });
  await ask();
  await balancer.close({ drainMs: 0 });
  expect(clock.pending).toBe(0);
  await vi.waitFor(() => expect(server.sockets.size).toBe(0));
  await clock.advance(600_000);
  expect(script.asked).toHaveLength(1);
});
