// What a service that fails gets to see of its callers' repeats.
import { type FairleadOptions, fairlead } from "fairlead";
import { afterAll, describe, expect, it } from "vitest";
import type { Listening } from "../src/backends/conditions.ts";
import { Fleet } from "../src/backends/fleet.ts";
import { kill, killChildren, nextMessage, startChild } from "../src/children.ts";
import { makeCalls } from "../src/load/calls.ts";

afterAll(killChildren);

const PACE = { rate: 150, durationMs: 4_000 };
const CALLS = (PACE.rate * PACE.durationMs) / 1_000;
/** What one process may repeat at any rate by default: 1 per second, and a burst of 10. */
const FLOOR = PACE.durationMs / 1_000 + 10;

/** Calls `urls` for a while. Every call has to be answered, by a 503 or an error that says why. */
async function callFailing(urls: readonly string[], options: Partial<FairleadOptions> = {}): Promise<void> {
  const orders = fairlead({ name: "orders", backends: urls, ...options });
  const calls = await makeCalls(orders, PACE);
  expect(calls).toHaveLength(CALLS);
  expect(calls.every(({ lost }) => lost)).toBe(true);
  await orders.close({ drainMs: 0 });
}

async function failingFleet(size: number): Promise<Fleet> {
  const fleet = await Fleet.start(size);
  await fleet.put("all", "answering 503");
  return fleet;
}

async function startService(urls: readonly string[]) {
  const process = startChild(new URL("support/service.ts", import.meta.url), urls);
  const { port } = await nextMessage<Listening>(process);
  return { url: `http://127.0.0.1:${port}`, end: () => kill(process) };
}

describe.concurrent("when everything answers 503", { timeout: 30_000 }, () => {
  it("three backends get at most a quarter more than the calls, floor and burst apart", async () => {
    const fleet = await failingFleet(3);
    await callFailing(fleet.urls);
    const requests = await fleet.requests();
    expect(requests).toBeGreaterThan(CALLS / 10);
    expect(requests).toBeLessThanOrEqual(1.25 * CALLS + FLOOR);
    await fleet.end();
  });

  it("it is the budget that sees to that, where no ejection holds calls back as well", async () => {
    const [kept, free] = await Promise.all([failingFleet(3), failingFleet(3)]);
    await Promise.all([
      callFailing(kept.urls, { ejection: false }),
      callFailing(free.urls, { ejection: false, retryBudget: false }),
    ]);
    const requests = await kept.requests();
    expect(requests).toBeGreaterThanOrEqual(CALLS);
    expect(requests).toBeLessThanOrEqual(1.25 * CALLS + FLOOR);
    expect(await free.requests()).toBe(3 * CALLS);
    await Promise.all([kept.end(), free.end()]);
  });

  it("the third of three services in a row gets at most half as much again as the first is asked", async () => {
    const third = await failingFleet(2);
    const second = await Promise.all([1, 2].map(() => startService(third.urls)));
    await callFailing(second.map(({ url }) => url));
    const requests = await third.requests();
    expect(requests).toBeGreaterThan(CALLS / 10);
    // 1.2 · 1.2 by the budgets; what the first may repeat at any rate is multiplied once, and each second has its own.
    expect(requests).toBeLessThanOrEqual(1.5 * CALLS + 1.2 * FLOOR + second.length * FLOOR);
    await Promise.all([third.end(), ...second.map(({ end }) => end())]);
  });
});
