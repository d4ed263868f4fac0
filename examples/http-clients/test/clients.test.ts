import { type Fairlead, fairlead } from "fairlead";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createAxios } from "../src/axios.ts";
import { type Backend, startBackend, stopBackend } from "../src/backend.ts";
import { createGot } from "../src/got.ts";
import { createKy } from "../src/ky.ts";

/** One client, in the few words that the tests need of it. */
interface Client {
  post(path: string, json: unknown): Promise<unknown>;
  /** Rejects with the client's own error, whose response has a status. */
  get(path: string, signal?: AbortSignal): Promise<unknown>;
  status(error: unknown): number | undefined;
}

type Failed = { readonly response?: { readonly status?: number; readonly statusCode?: number } };

const clients: readonly { readonly name: string; readonly connect: (orders: Fairlead) => Client }[] = [
  {
    name: "axios",
    connect: (orders) => {
      const axios = createAxios(orders);
      return {
        post: async (path, json) => (await axios.post(path, json)).data,
        get: async (path, signal) => (await axios.get(path, signal === undefined ? {} : { signal })).data,
        status: (error) => (error as Failed).response?.status,
      };
    },
  },
  {
    name: "got",
    connect: (orders) => {
      const got = createGot(orders);
      return {
        post: (path, json) => got.post(path.slice(1), { json }).json(),
        get: (path, signal) => got.get(path.slice(1), signal === undefined ? {} : { signal }).json(),
        status: (error) => (error as Failed).response?.statusCode,
      };
    },
  },
  {
    name: "ky",
    connect: (orders) => {
      const ky = createKy(orders);
      return {
        post: (path, json) => ky.post(path.slice(1), { json }).json(),
        get: (path, signal) => ky.get(path.slice(1), signal === undefined ? {} : { signal }).json(),
        status: (error) => (error as Failed).response?.status,
      };
    },
  },
];

let backends: Backend[];
let orders: Fairlead;

beforeEach(async () => {
  backends = [await startBackend(), await startBackend()];
  orders = fairlead({ name: "orders", backends: backends.map(({ url }) => url) });
});

afterEach(async () => {
  await orders.close({ drainMs: 0 });
  backends.forEach(stopBackend);
});

const idle = (): boolean => orders.backends.every((backend) => backend.inFlight("request") === 0);

describe.each(clients)("$name", ({ connect }) => {
  test("posts and reads, compressed answers included", async () => {
    const client = connect(orders);
    expect(await client.post("/v1/orders", { item: 7 })).toEqual({
      method: "POST",
      url: "/v1/orders",
      body: '{"item":7}',
    });
    expect(await client.get("/v1/orders?limit=3")).toMatchObject({ method: "GET", url: "/v1/orders?limit=3" });
    await expect.poll(idle).toBe(true);
  });

  test("loses no order to a backend that is gone, and sends none twice", async () => {
    const client = connect(orders);
    stopBackend(backends[1] as Backend);
    for (let sent = 0; sent < 10; sent++) await client.post("/v1/orders", { sent });
    expect(backends[0]?.requests()).toBe(10);
    await expect.poll(idle).toBe(true);
  });

  test("has errors of its own for statuses, and one attempt for each", async () => {
    const client = connect(orders);
    const error: unknown = await client.get("/missing").catch((thrown: unknown) => thrown);
    expect(client.status(error)).toBe(404);
    expect(orders.snapshot().calls).toMatchObject({ calls: 1 });
    expect(backends.reduce((sum, { requests }) => sum + requests(), 0)).toBe(1);
    await expect.poll(idle).toBe(true);
  });

  test("can be aborted", async () => {
    const client = connect(orders);
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    await expect(client.get("/v1/orders", controller.signal)).rejects.toThrow();
    expect(backends.reduce((sum, { requests }) => sum + requests(), 0)).toBe(0);
    expect(idle()).toBe(true);
  });
});
