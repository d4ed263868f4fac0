// What may be sent again because of its method or its Idempotency-Key, through every client.
import type { BalancerOptions } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { type ClientOptions, createFetch } from "../src/index.ts";
import { BalancedDispatcher, balance, createRequest } from "../src/undici/index.ts";
import { balancerOver } from "./support/balancers.ts";
import { clients } from "./support/clients.ts";
import { httpServer, rawServer } from "./support/servers.ts";

const RETRY = { ejection: false, retry: { delayMs: 0 } } satisfies Partial<BalancerOptions>;

/** A backend that answers 503 to what it has read, and one that says what it got; with the keys that came to them. */
async function arrange(options: Partial<BalancerOptions> = {}) {
  const keys: (string | undefined)[] = [];
  const bad = await httpServer((request, response) => {
    keys.push(request.headers["idempotency-key"] as string | undefined);
    response.writeHead(503).end("no");
  });
  const good = await httpServer((request, response) => {
    keys.push(request.headers["idempotency-key"] as string | undefined);
    response.end("yes");
  });
  return { balancer: balancerOver([bad.url, good.url], { ...RETRY, ...options }), keys };
}

describe.each(clients)("through $name", (client) => {
  test("a POST with a key is sent again, with the same one; each call has its own", async () => {
    const { balancer, keys } = await arrange();
    const call = client.connect(balancer, undefined, { idempotencyKey: true });
    for (let i = 0; i < 2; i++) expect((await call("/", { method: "POST" })).status).toBe(200);
    expect(keys).toHaveLength(4);
    expect(keys[0]).toMatch(/^"[\da-f]{32}"$/);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[3]).toBe(keys[2]);
    expect(keys[2]).not.toBe(keys[0]);
  });

  test("methods that are idempotent by themselves get no key", async () => {
    const { balancer, keys } = await arrange();
    expect((await client.connect(balancer, undefined, { idempotencyKey: true })("/")).status).toBe(200);
    expect(keys).toEqual([undefined, undefined]);
  });

  test("a function makes the key, once per call", async () => {
    const { balancer, keys } = await arrange();
    let made = 0;
    const call = client.connect(balancer, undefined, { idempotencyKey: () => `key ${++made}` });
    for (let i = 0; i < 2; i++) await call("/", { method: "POST", headers: { "x-other": "1" } });
    expect(keys).toEqual(["key 1", "key 1", "key 2", "key 2"]);
  });

  test("the caller's own key counts, if any of the option's forms says that keys do", async () => {
    const { balancer, keys } = await arrange();
    const mine = { method: "POST", headers: { "Idempotency-KEY": "mine" } };
    for (const idempotencyKey of [true, "given", () => "another"])
      expect((await client.connect(balancer, undefined, { idempotencyKey })("/", mine)).status).toBe(200);
    expect(keys).toEqual(Array.from({ length: 6 }, () => "mine"));
    for (const idempotencyKey of [false, undefined])
      expect((await client.connect(balancer, undefined, { idempotencyKey })("/", mine)).status).toBe(503);
    // No key was given.
    const bare = client.connect(balancer, undefined, { idempotencyKey: "given" });
    expect((await bare("/", { method: "POST" })).status).toBe(503);
    expect(keys.slice(6)).toEqual(["mine", "mine", undefined]);
  });

  test("a key does not make a call one that is repeated if it is said not to be idempotent", async () => {
    const { balancer, keys } = await arrange();
    const call = client.connect(balancer, undefined, { idempotencyKey: true, idempotent: false });
    expect((await call("/", { method: "POST" })).status).toBe(503);
    expect(keys).toEqual([expect.any(String)]);
  });

  test.each(["broken", "", "x\r\ny: z", 3, undefined])(
    "a function that makes no key ends the call: %j",
    async (key) => {
      const { balancer, keys } = await arrange();
      const idempotencyKey = (): string => {
        if (key === "broken") throw new TypeError("broken");
        return key as string;
      };
      await expect(client.connect(balancer, undefined, { idempotencyKey })("/", { method: "POST" })).rejects.toThrow(
        TypeError,
      );
      expect([keys, balancer.snapshot().calls.calls]).toEqual([[], 0]);
    },
  );

  test("the methods that are idempotent can be named", async () => {
    const { balancer } = await arrange();
    const call = client.connect(balancer, undefined, { methods: ["patch", "GET"] });
    const statuses: Record<string, number> = {};
    for (const method of ["GET", "PATCH", "PUT", "POST"]) statuses[method] = (await call("/", { method })).status;
    expect(statuses).toEqual({ GET: 200, PATCH: 200, PUT: 503, POST: 503 });
  });
});

test("one call may say what its client does not", async () => {
  const { balancer, keys } = await arrange();
  const [call, request] = [createFetch(balancer), createRequest(balancer)];
  const body = JSON.stringify({ item: 7 });
  const fairlead = { idempotencyKey: "order 7" };
  expect((await call("/", { method: "POST", body, fairlead })).status).toBe(200);
  expect((await request("/", { method: "POST", body, fairlead })).statusCode).toBe(200);
  // It is the call's name, whatever the method.
  expect((await call("/", { fairlead })).status).toBe(200);
  expect(new Set(keys)).toEqual(new Set(["order 7"]));
  const silent = createFetch(balancer, { idempotencyKey: true });
  expect((await silent("/", { method: "POST", body, fairlead: { idempotencyKey: false } })).status).toBe(503);
});

test("a key does not make a body whole again that can be read once", async () => {
  const bad = await rawServer((socket) => socket.destroy());
  const good = await httpServer();
  const balancer = balancerOver([bad.url, good.url], RETRY);
  const body = new Blob(["hello"]).stream();
  const init = { method: "POST", body, duplex: "half", fairlead: { idempotencyKey: true } };
  await expect(createFetch(balancer)("/", init as RequestInit)).rejects.toThrow(TypeError);
  expect(good.received).toEqual([]);
});

test("what makes no sense is refused", async () => {
  const { balancer } = await arrange();
  const wrong = {
    idempotencyKey: "the one for all",
    methods: ["GET", "not a method"],
    propagate: 1,
    deadlineLimitMs: 0,
  };
  const options = wrong as unknown as ClientOptions;
  const named = /idempotencyKey[\s\S]*methods|methods[\s\S]*idempotencyKey/;
  expect(() => createFetch(balancer, options)).toThrow(named);
  expect(() => createRequest(balancer, options)).toThrow(named);
  expect(() => new BalancedDispatcher(balancer, options)).toThrow(named);
  expect(() => balance(balancer, options)).toThrow(named);
  expect(() => createFetch(balancer, options)).toThrow(/propagate[\s\S]*|deadlineLimitMs/);
  for (const idempotencyKey of [3, "", " x", "ü", "a\nb", null])
    await expect(createFetch(balancer)("/", { fairlead: { idempotencyKey } as never })).rejects.toMatchObject({
      problems: [{ path: "idempotencyKey" }],
    });
  expect(() => createFetch(balancer, { method: ["GET"] } as never)).toThrow(/did you mean `methods`/);
});
