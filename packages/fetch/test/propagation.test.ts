// What backends are told of an attempt, and what an incoming request says of the calls made for it, through every client.
import { describe, expect, test } from "vitest";
import { createFetch, fromIncoming } from "../src/index.ts";
import { BalancedDispatcher, createRequest } from "../src/undici/index.ts";
import { balancerOver } from "./support/balancers.ts";
import { clients } from "./support/clients.ts";
import { httpServer, type Received } from "./support/servers.ts";

const COUNT = "x-envoy-attempt-count";
const LEFT = "x-envoy-expected-rq-timeout-ms";

/** Two backends, of which the first fails after `delayMs`, and what came to them. */
async function arrange(delayMs = 0) {
  const got: Received["headers"][] = [];
  const bad = await httpServer(({ headers }, response) => {
    got.push(headers);
    setTimeout(() => response.writeHead(503).end("no"), delayMs);
  });
  const good = await httpServer(({ headers }, response) => {
    got.push(headers);
    response.end("yes");
  });
  return { backends: [bad.url, good.url], got };
}

const RETRY = { delayMs: 0 };

describe.each(clients)("through $name", (client) => {
  test("each attempt says its number and the time that it has left", async () => {
    const { backends, got } = await arrange(60);
    const balancer = balancerOver(backends, { retry: RETRY, attemptTimeoutMs: 4_000, deadlineMs: 2_000 });
    const lying = { headers: { [COUNT]: "7", [LEFT.toUpperCase()]: "99999999", "x-other": "1" } };
    expect((await client.connect(balancer, undefined, { propagate: true })("/", lying)).status).toBe(200);
    expect(got.map((headers) => [headers[COUNT], headers["x-other"]])).toEqual([
      ["1", "1"],
      ["2", "1"],
    ]);
    const [first = 0, second = 0] = got.map((headers) => Number(headers[LEFT]));
    expect(got.every((headers) => /^\d+$/.test(String(headers[LEFT])))).toBe(true);
    expect([first <= 2_000, first > 1_000, second <= first - 55]).toEqual([true, true, true]);
  });

  test("an attempt without a limit says nothing of time, and nothing is said unless asked for", async () => {
    const { backends, got } = await arrange();
    const balancer = balancerOver(backends.slice(1), { attemptTimeoutMs: false, deadlineMs: false });
    await client.connect(balancer, undefined, { propagate: true })("/");
    await client.connect(balancer)("/");
    expect(got.map((headers) => [headers[COUNT], headers[LEFT]])).toEqual([
      ["1", undefined],
      [undefined, undefined],
    ]);
  });

  test("a call made for a retry is not retried, and has no more time than its caller", async () => {
    const { backends, got } = await arrange();
    const balancer = balancerOver(backends, { retry: RETRY });
    const incoming = fromIncoming({ [COUNT]: "2", [LEFT]: "1500" });
    expect((await client.connect(balancer, undefined, { ...incoming, propagate: true })("/")).status).toBe(503);
    expect(got).toHaveLength(1);
    expect(Number(got[0]?.[LEFT])).toBeLessThanOrEqual(1_500);
    expect(Number(got[0]?.[LEFT])).toBeGreaterThan(500);
  });

  test("an incoming deadline shortens ours, and never lengthens it", async () => {
    const silent = await httpServer(() => {});
    const balancer = balancerOver([silent.url], { deadlineMs: 80 });
    const started = performance.now();
    const long = client.connect(balancer, undefined, fromIncoming({ [LEFT]: "60000" }));
    await expect(long("/")).rejects.toThrow();
    expect(performance.now() - started).toBeLessThan(800);
    balancer.configure({ deadlineMs: 60_000 });
    const short = client.connect(balancer, undefined, fromIncoming({ "grpc-timeout": "80m" }));
    await expect(short("/")).rejects.toThrow();
    balancer.configure({ deadlineMs: false, attemptTimeoutMs: false });
    await expect(short("/")).rejects.toThrow();
    expect(performance.now() - started).toBeLessThan(2_400);
  });
});

test("one call may carry what came in, over what its client says", async () => {
  const { backends, got } = await arrange();
  const balancer = balancerOver(backends, { retry: RETRY });
  const fairlead = { ...fromIncoming(new Headers({ [COUNT]: "3", [LEFT]: "5000" })), propagate: true };
  // A client's deadline is one that must not be lengthened, too.
  expect((await createFetch(balancer, { deadlineMs: 700 })("/", { fairlead })).status).toBe(503);
  expect((await createRequest(balancer, { deadlineMs: 700 })("/", { fairlead })).statusCode).toBe(503);
  expect(got.map((headers) => Number(headers[LEFT]) <= 700)).toEqual([true, true]);
  // What is said after it goes over it.
  expect((await createFetch(balancer)("/", { fairlead: { ...fairlead, retry: RETRY } })).status).toBe(200);
});

test("a dispatcher per incoming request carries what that says, over the balancer's connections", async () => {
  const { backends, got } = await arrange();
  const balancer = balancerOver(backends.slice(1));
  for (let i = 0; i < 3; i++) {
    const dispatcher = new BalancedDispatcher(balancer, { ...fromIncoming({ [LEFT]: "900" }), propagate: true });
    const response = await fetch("http://orders/", { dispatcher } as RequestInit);
    expect(await response.text()).toBe("yes");
  }
  expect(got.map((headers) => Number(headers[LEFT]) <= 900)).toEqual([true, true, true]);
});
