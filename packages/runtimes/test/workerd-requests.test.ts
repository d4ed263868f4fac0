// In workerd a timer or a promise belongs to the request that made it, and is gone with it. Balancers outlive them all.
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Backends, startBackends } from "./support/backends.ts";
import { bundle } from "./support/bundle.ts";
import { COMPATIBILITY_DATE, handleRuntimeStdio } from "./support/runtimes.ts";

let backends: Backends;
let miniflare: Miniflare;

beforeAll(async () => {
  backends = await startBackends();
  const script = await bundle("workerd", "entries/requests.ts", {
    define: { BACKENDS: JSON.stringify(backends.addresses.good) },
  });
  // No flag for Node: what is in the bundle needs nothing of it.
  miniflare = new Miniflare({
    modules: true,
    script,
    compatibilityDate: COMPATIBILITY_DATE,
    cf: false,
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    handleRuntimeStdio,
  });
  await miniflare.ready;
}, 60_000);

afterAll(async () => {
  await miniflare.dispose();
  await backends[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly ms: number;
}

async function ask(path: string): Promise<Answer> {
  const startedMs = performance.now();
  const signal = AbortSignal.timeout(10_000);
  const response = await miniflare.dispatchFetch(`http://worker${path}`, { signal });
  return { status: response.status, text: await response.text(), ms: performance.now() - startedMs };
}

interface State {
  readonly held: number;
  readonly waiting: number;
  readonly calls: { readonly timeouts: number; readonly hedges: number };
}

async function stateOf(name: string): Promise<State> {
  return JSON.parse((await ask(`/state/${name}`)).text) as State;
}

const inTime = { status: 500, text: "TimeoutError" };

describe("a balancer made while the module loads", () => {
  test("serves requests, one after the other and at once", async () => {
    const answers = [
      await ask("/plain/x"),
      await ask("/plain/x"),
      ...(await Promise.all(["y", "z"].map((path) => ask(`/plain/${path}`)))),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await stateOf("plain")).toMatchObject({ held: 0, waiting: 0 });
  });

  test("times out two requests that overlap, each by its own timer", async () => {
    const first = ask("/silent/1");
    await pause(100);
    const second = ask("/silent/2");
    expect(await first).toMatchObject(inTime);
    expect(await second).toMatchObject(inTime);
    expect(await stateOf("silent")).toMatchObject({ held: 0, calls: { timeouts: 2 } });
  });

  test("times out two requests that follow each other, each by its own timer", async () => {
    for (const path of ["/silent/3", "/silent/4"]) {
      const answer = await ask(path);
      expect(answer).toMatchObject(inTime);
      expect(answer.ms).toBeGreaterThan(190);
    }
    expect(await stateOf("silent")).toMatchObject({ held: 0, calls: { timeouts: 4 } });
  });

  test("lets requests wait for a place that another request holds", async () => {
    const answers = await Promise.all(["1", "2", "3"].map((path) => ask(`/one/${path}`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    // 300 ms each, one after the other.
    expect(Math.max(...answers.map(({ ms }) => ms))).toBeGreaterThan(890);
    expect(await stateOf("one")).toMatchObject({ held: 0, waiting: 0 });
  });

  test("lets requests wait for a token behind each other", async () => {
    const answers = await Promise.all(["1", "2", "3"].map((path) => ask(`/rated/${path}`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(Math.max(...answers.map(({ ms }) => ms))).toBeGreaterThan(190);
  });

  test("hedges within a request", async () => {
    const { text } = await ask("/hedged/x");
    expect(JSON.parse(text)).toMatchObject({ backend: "a" });
    expect(await stateOf("hedged")).toMatchObject({ calls: { hedges: 1 } });
  });

  test("takes a place back when a client leaves and its request is gone", async () => {
    await leave("/left/x?n=200");
    await vi.waitFor(callAndFindNothingHeld, { timeout: 10_000, interval: 250 });
  }, 15_000);
});

/** Whoever calls next looks after it. */
async function callAndFindNothingHeld(): Promise<void> {
  expect((await ask("/left/y?n=1")).status).toBe(200);
  expect(await stateOf("left")).toMatchObject({ held: 0 });
}

/** Asks for something long, and leaves when it begins to come. */
async function leave(path: string): Promise<void> {
  const { port } = await miniflare.unsafeGetDirectURL();
  const client = connect(Number(port), "127.0.0.1");
  client.write(`GET ${path} HTTP/1.1\r\nHost: worker\r\n\r\n`);
  await once(client, "data");
  expect(await stateOf(path.split("/")[1] ?? "")).toMatchObject({ held: 1 });
  client.destroy();
}
