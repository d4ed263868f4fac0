// What a real server does not answer, by msw: handlers are keyed by the backend's address, so they see our choice.
import type { Balancer } from "@fairlead/core";
import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createFetch } from "../src/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";

const A = "http://a.test";
const B = "http://b.test";
const server = setupServer();

beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

const NO_BACKOFF = { retry: { delayMs: 0 } };
const over = (options = {}): Balancer => balancerOver([A, B], { ...NO_BACKOFF, ...options });

/** A answers `status`, B says where it is. */
function answering(status: number, headers: Record<string, string> = {}): void {
  server.use(
    http.all(`${A}/`, () => new HttpResponse("from A", { status, headers })),
    http.all(`${B}/`, () => new HttpResponse("from B")),
  );
}

describe("a GET", () => {
  test.each([
    [408, "from B"],
    [421, "from B"],
    [425, "from B"],
    [429, "from A"],
    [500, "from A"],
    [501, "from A"],
    [502, "from B"],
    [503, "from B"],
    [504, "from B"],
    [505, "from A"],
    [404, "from A"],
  ])("that a backend answers with %d is answered %s", async (status, expected) => {
    answering(status);
    const balancer = over();
    expect(await (await createFetch(balancer)("/")).text()).toBe(expected);
    await idle(balancer);
  });

  test("goes by the call's own list of statuses", async () => {
    answering(500);
    const fairlead = { retry: { statusCodes: [500] } };
    expect(await (await createFetch(over())("/", { fairlead })).text()).toBe("from B");
    expect(await (await createFetch(over())("/", { fairlead: { retry: false } })).text()).toBe("from A");
  });

  test("that is limited by one backend goes to another if limits are the backends' own", async () => {
    answering(429, { "retry-after": "1" });
    const balancer = over({ retry: { delayMs: 0, rateLimitScope: "backend" } });
    expect(await (await createFetch(balancer)("/")).text()).toBe("from B");
    expect(counters(balancer, 0)).toMatchObject({ overloads: 1, failures: 0, health: "paused" });
  });
});

// 421 is repeated by the platform itself (Fetch standard, HTTP-network-or-cache fetch, step 14).
test.each([503, 502, 425])("a POST that a backend answers with %d is not sent again", async (status) => {
  answering(status);
  const response = await createFetch(over())("/", { method: "POST", body: "hello" });
  expect([response.status, await response.text()]).toEqual([status, "from A"]);
});

test.each([
  ["seconds", (): string => "20", "overloads", 20_000],
  ["a date", (): string => new Date(Date.now() + 20_000).toUTCString(), "overloads", 20_000],
  ["more than the limit", (): string => "9999999999", "overloads", 60_000],
  ["a date long gone", (): string => "Thu, 01 Jan 1970 00:00:00 GMT", "overloads", 0],
  ["garbage", (): string => "later", "failures", 0],
  ["a negative number", (): string => "-20", "failures", 0],
] as const)("a 503 with a Retry-After of %s", async (_what, value, counter, pausedMs) => {
  answering(503, { "retry-after": value() });
  const balancer = over();
  const before = Date.now();
  expect(await (await createFetch(balancer)("/")).text()).toBe("from B");
  expect(counters(balancer, 0)[counter]).toBe(1);
  const { pausedUntilAt } = counters(balancer, 0);
  if (pausedMs === 0) expect(pausedUntilAt).toBeNull();
  // A date has whole seconds.
  else expect(Math.abs((pausedUntilAt ?? 0) - before - pausedMs)).toBeLessThan(1_500);
});

test("a network error without any code is a failure, not unreached: it may have been sent", async () => {
  server.use(
    http.all(`${A}/`, () => HttpResponse.error()),
    http.all(`${B}/`, () => new HttpResponse("from B")),
  );
  const balancer = over();
  const call = createFetch(balancer);
  expect(await (await call("/")).text()).toBe("from B");
  await expect(call("/", { method: "POST", fairlead: { pinned: "a.test:80" } })).rejects.toBeInstanceOf(TypeError);
  expect(counters(balancer, 0)).toMatchObject({ failures: 2, unreached: 0 });
});

test.each([400, 403, 409, 410, 413, 418, 422, 426, 431, 451, 499])(
  "a %d says that the backend works, whatever it thinks of the call",
  async (status) => {
    answering(status);
    const balancer = over();
    expect((await createFetch(balancer)("/")).status).toBe(status);
    await idle(balancer);
    expect(counters(balancer, 0)).toMatchObject({ successes: 1 });
  },
);

test.each([500, 506, 507, 508, 511, 520, 522, 524, 529, 598])("a %d is a failure, and not repeated", async (status) => {
  answering(status);
  const balancer = over();
  expect((await createFetch(balancer)("/")).status).toBe(status);
  await idle(balancer);
  expect(counters(balancer, 0)).toMatchObject({ failures: 1 });
});

test("several Retry-After headers say nothing, as one that nobody can read", async () => {
  server.use(
    http.all(`${A}/`, () => {
      const headers = new Headers({ "retry-after": "5" });
      headers.append("retry-after", "10");
      return new HttpResponse("from A", { status: 503, headers });
    }),
    http.all(`${B}/`, () => new HttpResponse("from B")),
  );
  const balancer = over();
  expect(await (await createFetch(balancer)("/")).text()).toBe("from B");
  await idle(balancer);
  expect(counters(balancer, 0)).toMatchObject({ failures: 1, overloads: 0, pausedUntilAt: null });
});

test("a Retry-After with a status that asks for nothing does not pause", async () => {
  for (const status of [200, 404, 502]) {
    answering(status, { "retry-after": "20" });
    const balancer = over({ retry: false });
    expect((await createFetch(balancer)("/")).status).toBe(status);
    await idle(balancer);
    expect(counters(balancer, 0).pausedUntilAt).toBeNull();
  }
});

test.each([421, 425])("a %d by every backend is the answer in the end, and blames none", async (status) => {
  const asked: string[] = [];
  const note = ({ request }: { request: Request }): HttpResponse<string> => {
    asked.push(new URL(request.url).host);
    return new HttpResponse("no", { status });
  };
  server.use(http.all(`${A}/`, note), http.all(`${B}/`, note));
  const balancer = over({ retry: { delayMs: 0, limit: 1 } });
  expect((await createFetch(balancer)("/")).status).toBe(status);
  await idle(balancer);
  // The platform asks each once more about a 421, on a new connection.
  expect(new Set(asked)).toEqual(new Set(["a.test", "b.test"]));
  for (const index of [0, 1]) expect(counters(balancer, index)).toMatchObject({ failures: 0, ignored: 1, attempts: 1 });
});
