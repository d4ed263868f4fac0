import { once } from "node:events";
import { createRandom } from "@fairlead/core";
import { expect, test, vi } from "vitest";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { clients } from "./support/clients.ts";
import { httpServer, rawServer, type TestServer } from "./support/servers.ts";

const reason = new Error("the user went away");

const failing = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => error,
  );

/** A server that tells of every request and leaves it at what `respond` does. */
async function watched(
  onHead: Parameters<typeof rawServer>[0] = () => {},
): Promise<TestServer & { readonly asked: Promise<unknown> }> {
  const asked = Promise.withResolvers<void>();
  const server = await rawServer((socket, head) => {
    onHead(socket, head);
    asked.resolve();
  });
  return { ...server, asked: asked.promise };
}

for (const client of clients) {
  test(`${client.name} rejects with the caller's reason if it aborts before the call`, async () => {
    const server = await httpServer();
    const balancer = balancerOver([server.url]);
    const signal = AbortSignal.abort(reason);
    expect(await failing(client.connect(balancer)("/", { signal }))).toBe(reason);
    await idle(balancer);
    expect(server.received).toEqual([]);
  });

  test(`${client.name} rejects with the caller's reason if it aborts while a backend works`, async () => {
    const server = await watched();
    const other = await httpServer();
    const balancer = balancerOver([server.url, other.url]);
    const controller = new AbortController();
    const call = failing(client.connect(balancer)("/", { signal: controller.signal }));
    await server.asked;
    controller.abort(reason);
    expect(await call).toBe(reason);
    await idle(balancer);
    expect(other.received).toEqual([]);
    expect(counters(balancer, 0)).toMatchObject({ failures: 0, ignored: 1 });
  });

  test(`${client.name} rejects with the caller's reason if it aborts during the back-off`, async () => {
    const server = await httpServer((_request, response) => response.writeHead(502).end("no"));
    const other = await httpServer();
    const balancer = balancerOver([server.url, other.url], {
      retry: { delayMs: 20_000, backoffLimitMs: 20_000 },
      random: createRandom(1),
    });
    const controller = new AbortController();
    const call = failing(client.connect(balancer)("/", { signal: controller.signal }));
    await vi.waitFor(() => expect(counters(balancer, 0).failures).toBe(1));
    controller.abort(reason);
    expect(await call).toBe(reason);
    await idle(balancer);
    expect(other.received).toEqual([]);
  });

  test(`${client.name} ends the body with the caller's reason if it aborts while the body streams`, async () => {
    const server = await watched((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome of it");
    });
    const balancer = balancerOver([server.url]);
    const controller = new AbortController();
    const response = await client.connect(balancer)("/", { signal: controller.signal });
    const body = failing(response.text());
    expect(counters(balancer, 0).requests).toBe(1);
    const [socket] = server.sockets;
    const closed = socket === undefined ? undefined : once(socket, "close");
    controller.abort(reason);
    expect(await body).toBe(reason);
    await idle(balancer);
    await closed;
    expect(counters(balancer, 0)).toMatchObject({ successes: 1, streamFailures: 0 });
  });

  // With a dispatcher, the signal is between the caller and undici.
  if (/Dispatcher|balance/.test(client.name)) continue;

  test(`${client.name} leaves no listener on a signal that many calls share`, async () => {
    const server = await httpServer();
    const balancer = balancerOver([server.url]);
    const { signal } = new AbortController();
    const listeners = new Set<unknown>();
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners.add(args[1]);
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners.delete(args[1]);
      remove(...args);
    };
    const call = client.connect(balancer);
    for (let i = 0; i < 3; i++) await (await call("/", { signal })).text();
    await idle(balancer);
    expect(listeners.size).toBe(0);
  });
}
