// A rate for a whole fleet, kept by a real Redis server: shared, lost with the server, and there again when it is back.
import { createBalancer, type RateLimitOptions, rateLimit } from "@fairlead/core";
import { Redis } from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { afterEach, describe, expect, test, vi } from "vitest";
import { hasRedisServer, type RedisServer, startRedis } from "./support/redis-server.ts";
import { escaped } from "./support/world.ts";

const available = hasRedisServer();
const required = process.env["FAIRLEAD_REQUIRE_SERVERS"] === "1";
const skipped = "redis-server is not on the PATH (pnpm setup:servers installs it)";

const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

/** One process of a fleet: a balancer with a client of its own. */
function member(port: number, points: number, options: Partial<RateLimitOptions> = {}) {
  // An error without a listener would end the process; commands must not pile up while the server is away.
  const client = new Redis({ port, host: "127.0.0.1", enableOfflineQueue: false, retryStrategy: () => 20 });
  client.on("error", () => {});
  const store = new RateLimiterRedis({ storeClient: client, points, duration: 60 });
  const balancer = createBalancer({
    name: "orders",
    backends: ["http://a.test"],
    limits: { rate: rateLimit({ perSecond: 1, burst: 2, store, storeTimeoutMs: 1_000, ...options }) },
  });
  open.push(async () => {
    await balancer.close();
    client.disconnect();
  });
  const connected = (): Promise<void> =>
    vi.waitFor(
      () => {
        if (client.status !== "ready") throw new Error(`the client is ${client.status}`);
      },
      { timeout: 5_000, interval: 5 },
    );
  const call = (): Promise<string> =>
    balancer.call(async () => "served").catch((error: { limit: string }) => error.limit);
  const calls = (count: number): Promise<string[]> => Promise.all(Array.from({ length: count }, call));
  const isOut = (): boolean | undefined => balancer.snapshot().limits.rate?.storeIsOut;
  return { balancer, connected, call, calls, isOut };
}

async function server(port?: number): Promise<RedisServer> {
  const started = await startRedis(port);
  open.push(() => started.stop());
  return started;
}

const count = (answers: readonly string[], wanted: string): number =>
  answers.filter((answer) => answer === wanted).length;

if (!available && required) test("the Redis server that the tests need is there", () => expect.fail(skipped));
else if (!available) console.warn(`rate limits by Redis are not tested: ${skipped}`);

describe.runIf(available)("a rate kept by Redis", { timeout: 30_000 }, () => {
  test("holds for all processes together", async () => {
    const { port } = await server();
    const fleet = [member(port, 10), member(port, 10), member(port, 10)];
    await Promise.all(fleet.map(({ connected }) => connected()));
    const answers = (await Promise.all(fleet.map(({ calls }) => calls(8)))).flat();
    expect([count(answers, "served"), count(answers, "rate")]).toEqual([10, 14]);
    expect(fleet.map(({ isOut }) => isOut())).toEqual([false, false, false]);
  });

  test("says when to come again", async () => {
    const { port } = await server();
    const { balancer, connected, call } = member(port, 1);
    await connected();
    await call();
    const error: unknown = await balancer.call(async () => 1).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "FAIRLEAD_ERR_LIMIT", limit: "rate" });
    const { retryAfterMs } = error as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  test("is kept by each process alone while the server is away, and by Redis again when it is back", async () => {
    const first = await server();
    const { connected, calls, call, isOut, balancer } = member(first.port, 5);
    await connected();
    expect(count(await calls(8), "served")).toBe(5);
    const caught = await escaped(async () => {
      await first.stop();
      const answers = await calls(8);
      expect(count(answers, "served")).toBeGreaterThanOrEqual(1);
      expect(count(answers, "served")).toBeLessThanOrEqual(3);
      expect(isOut()).toBe(true);
      expect(balancer.snapshot().limits.rate?.storeFailures).toBeGreaterThan(0);
      // It has lost what it knew: five tokens again.
      await server(first.port);
      await connected();
      await vi.waitFor(
        async () => {
          await call();
          if (isOut() === true) throw new Error("the store still counts as out of order");
        },
        { timeout: 10_000, interval: 50 },
      );
    });
    expect(caught).toEqual([]);
    expect(count(await calls(8), "served")).toBe(4);
  });

  test.each([
    ["allow", "served"],
    ["refuse", "rate"],
  ] as const)("away, with onStoreFailure %s: %s", async (onStoreFailure, answer) => {
    const first = await server();
    const { connected, calls } = member(first.port, 5, { onStoreFailure });
    await connected();
    await first.stop();
    expect(count(await calls(10), answer)).toBe(10);
  });
});
