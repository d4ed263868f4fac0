// Rivals and fallbacks over the wire, through every client.
import { type AttemptResult, fallbackTo, fallbackWith, hedging } from "@fairlead/core";
import { describe, expect, test, vi } from "vitest";
import { createFetch, lastGoodResponse } from "../src/index.ts";
import { BalancedDispatcher } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { clients } from "./support/clients.ts";
import { deadPort, httpServer } from "./support/servers.ts";

describe.each(clients)("through $name", (client) => {
  test("a backend that takes long gets a rival; the loser's request is ended, and no place stays taken", async () => {
    let ended = 0;
    const slow = await httpServer((_request, response) => {
      response.on("close", () => void ended++);
    });
    const quick = await httpServer((_request, response) => void response.end("quick"));
    const balancer = balancerOver([slow.url, quick.url], { hedge: hedging({ delayMs: 30 }) });
    const answer = await client.connect(balancer)("/");
    expect([answer.status, await answer.text()]).toEqual([200, "quick"]);
    expect(balancer.snapshot().calls).toMatchObject({ hedges: 1, succeeded: 1, retries: 0 });
    await idle(balancer);
    await vi.waitFor(() => expect(ended).toBe(1), { timeout: 3_000, interval: 5 });
    expect(counters(balancer, 0)).toMatchObject({ failures: 0, unreached: 0, ignored: 1 });
  });

  test("another balancer takes over when all backends fail, and its answer is the answer", async () => {
    const bad = await httpServer((_request, response) => void response.writeHead(503).end("bad"));
    const good = await httpServer((request, response) => void response.end(`away ${request.url}`));
    const away = balancerOver([good.url]);
    const balancer = balancerOver([bad.url], { fallback: fallbackTo(away), retry: false });
    const answer = await client.connect(balancer)("/orders?page=2");
    expect([answer.status, await answer.text()]).toEqual([200, "away /orders?page=2"]);
    await idle(balancer);
    await idle(away);
    expect(balancer.snapshot().calls).toMatchObject({ fallbacks: 1, failed: 0 });
  });

  test("another balancer that takes over has its own say on the answers of its backends", async () => {
    const odd = await httpServer((_request, response) => void response.writeHead(299).end("odd"));
    const good = await httpServer((_request, response) => void response.end("good"));
    const away = balancerOver([odd.url, good.url], { classify: (result) => (is299(result) ? "unreached" : undefined) });
    const balancer = balancerOver([await deadPort()], { fallback: fallbackTo(away), retry: false });
    const answer = await client.connect(balancer)("/");
    expect([answer.status, await answer.text()]).toEqual([200, "good"]);
    await idle(away);
    expect(away.snapshot().calls).toMatchObject({ requeues: 1, succeeded: 1 });
  });

  test("a fallback's answer that the client can't return is none", async () => {
    const bad = await httpServer((_request, response) => void response.writeHead(503).end("bad"));
    const balancer = balancerOver([bad.url], { fallback: fallbackWith(() => "a text"), retry: false });
    const failures: string[] = [];
    balancer.on("callbackFailed", ({ where, error }) => failures.push(`${where}: ${String(error)}`));
    const answer = await client.connect(balancer)("/");
    expect([answer.status, await answer.text()]).toEqual([503, "bad"]);
    expect(failures).toEqual(["fallback: TypeError: function answered what this client can't return"]);
    await idle(balancer);
  });
});

test("a body through a dispatcher may pause for as long as the balancer says that has answered", async () => {
  const slow = await httpServer((_request, response) => void response.write("some"));
  const away = balancerOver([slow.url], { bodyIdleTimeoutMs: 50 });
  const balancer = balancerOver([await deadPort()], { fallback: fallbackTo(away), retry: false });
  const dispatcher = new BalancedDispatcher(balancer);
  const { body } = await dispatcher.request({ origin: "http://orders", path: "/", method: "GET" });
  await expect(body.text()).rejects.toThrow("Body Timeout Error");
  await idle(away);
  expect(counters(away, 0)).toMatchObject({ streamFailures: 1 });
});

function is299({ value }: AttemptResult): boolean {
  const { status, statusCode } = (value ?? {}) as { readonly status?: number; readonly statusCode?: number };
  return (status ?? statusCode) === 299;
}

/** A backend that works until it is told to fail. */
async function arrange(options = {}) {
  let status = 200;
  let asked = 0;
  const server = await httpServer((request, response) => {
    asked++;
    response.writeHead(status, { "content-type": "text/plain", "x-path": request.url }).end(`answer ${asked}`);
  });
  const balancer = balancerOver([server.url], { retry: false, ejection: false });
  const fetch = createFetch(balancer, { fallback: lastGoodResponse(options) });
  return { balancer, fetch, fail: () => (status = 503), server };
}

describe("the last good response", () => {
  test("answers for the same URL, with its headers and age, as often as it is asked", async () => {
    const { balancer, fetch, fail } = await arrange();
    const fresh = await fetch("/a");
    expect(await fresh.text()).toBe("answer 1");
    expect(fresh.headers.has("age")).toBe(false);
    fail();
    await idle(balancer);
    for (let turn = 0; turn < 2; turn++) {
      const stale = await fetch("/a");
      expect([stale.status, await stale.text(), stale.headers.get("x-path")]).toEqual([200, "answer 1", "/a"]);
      expect(stale.headers.get("age")).toMatch(/^\d+$/);
    }
    expect((await fetch("/b")).status).toBe(503);
    expect((await fetch("/a", { method: "POST" })).status).toBe(503);
  });

  test("is kept beside a caller who reads nothing, and not if it is long", async () => {
    const { balancer, fetch, fail } = await arrange({ maxBytes: 8 });
    await fetch("/a");
    const long = await arrange({ maxBytes: 7 });
    expect(await (await long.fetch("/a")).text()).toBe("answer 1");
    fail();
    long.fail();
    await idle(balancer);
    expect(await (await fetch("/a")).text()).toBe("answer 1");
    expect((await long.fetch("/a")).status).toBe(503);
  });

  test("is none of a body that breaks off, which is nobody's mistake", async () => {
    const server = await httpServer((request, response) => {
      if (request.url === "/fails") response.writeHead(503).end();
      else response.writeHead(200, { "content-length": "100" }).write("half", () => void response.destroy());
    });
    const balancer = balancerOver([server.url], { retry: false, ejection: false });
    const failures: string[] = [];
    balancer.on("callbackFailed", ({ where }) => failures.push(where));
    const fetch = createFetch(balancer, { fallback: lastGoodResponse() });
    await expect((await fetch("/a", { fairlead: { fallbackKey: "x" } })).text()).rejects.toThrow();
    await idle(balancer);
    expect((await fetch("/fails", { fairlead: { fallbackKey: "x" } })).status).toBe(503);
    expect(failures).toEqual([]);
  });

  test("refuses wrong options", () => {
    expect(() => lastGoodResponse({ maxBytes: -1 })).toThrow(expect.objectContaining({ code: "FAIRLEAD_ERR_CONFIG" }));
    expect(() => lastGoodResponse({ maxAgeMs: 0 })).toThrow(expect.objectContaining({ code: "FAIRLEAD_ERR_CONFIG" }));
  });
});
