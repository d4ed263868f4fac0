import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { createBalancer, first } from "@fairlead/core";
import { afterAll, expect, test } from "vitest";
import { circuitBreaker } from "../src/index.ts";
import { nothing } from "./support.ts";

const closing: (() => void)[] = [];
afterAll(() => {
  for (const close of closing) close();
});

/** A backend whose behaviour a test changes; counts what reaches it. */
async function backend(): Promise<{ url: string; behave: RequestListener; requests: number }> {
  const state = {
    url: "",
    requests: 0,
    behave: ((_, response) => void response.end("works")) as RequestListener,
  };
  const server = createServer((request, response) => {
    state.requests++;
    state.behave(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return state;
}

const faults: Record<string, RequestListener> = {
  "answers 500": (_, response) => void response.writeHead(500).end(),
  "resets connections": (request) => void request.socket.destroy(),
  hangs: nothing,
};

test.each(Object.keys(faults))(
  "a backend that %s is left alone while the breaker is open, tried by one call, and used again once it works",
  { timeout: 20_000 },
  async (fault) => {
    const [bad, good] = [await backend(), await backend()];
    const breaker = circuitBreaker({ consecutiveFailures: 4, resetTimeout: 1_500 });
    const balancer = createBalancer({
      name: "orders",
      backends: [
        { id: "bad", url: bad.url },
        { id: "good", url: good.url },
      ],
      strategy: first(),
      breaker,
      ejection: false,
      retryBudget: false,
      attemptTimeoutMs: 500,
    });
    const call = (): Promise<string> =>
      balancer.call(
        async ({ backend: { id, url }, signal }) => {
          const response = await fetch(url, { signal });
          if (response.status >= 500) throw new Error(`status ${response.status}`);
          await response.text();
          return id;
        },
        { idempotent: true, retry: { delayMs: 0 } },
      );
    bad.behave = faults[fault] ?? nothing;
    for (let failure = 0; failure < 4; failure++) expect(await call()).toBe("good");
    expect(balancer.snapshot().backends[0]?.breaker).toBe("open");
    bad.behave = (_, response) => void response.end("works");
    const reached = bad.requests;
    expect(await Promise.all([call(), call(), call()])).toEqual(["good", "good", "good"]);
    expect(bad.requests).toBe(reached);
    const closed = new Promise<void>((resolve) => void balancer.on("breakerClosed", () => resolve()));
    const deadlineMs = performance.now() + 10_000;
    while ((await call()) === "good" && performance.now() < deadlineMs) await setTimeout(20);
    await closed;
    expect(bad.requests).toBe(reached + 1);
    expect(await call()).toBe("bad");
    await balancer.close();
  },
);
