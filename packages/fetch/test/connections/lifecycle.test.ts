import { execFile } from "node:child_process";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { BalancedDispatcher, connectionStats, createRequest } from "../../src/undici/index.ts";
import { balancerOver, idle } from "../support/balancers.ts";
import { httpServer, rawServer } from "../support/servers.ts";
import { untilStats } from "./support.ts";

test("what connections do is told by `connectionStats` and in the snapshot", async () => {
  const held = Promise.withResolvers<ServerResponse>();
  const server = await httpServer((request, response) => {
    if (request.url === "/held") held.resolve(response);
    else response.end();
  });
  const balancer = balancerOver([{ url: server.url, id: "a" }]);
  expect(connectionStats(balancer)).toEqual({});
  const request = createRequest(balancer.derive({}), { pool: { connections: 1 } });
  const first = request("/held");
  expect(connectionStats(balancer)).toEqual({ a: { connected: 0, free: 0, pending: 1, running: 0, queued: 0 } });
  const response = await held.promise;
  const second = request("/");
  const busy = { a: { connected: 1, free: 0, pending: 0, running: 1, queued: 1 } };
  expect(connectionStats(balancer)).toEqual(busy);
  expect(balancer.snapshot()).toMatchObject({ sections: { connections: busy } });
  response.end();
  await (await first).body.dump();
  await (await second).body.dump();
  await untilStats(balancer, { connected: 1, free: 1, pending: 0, running: 0, queued: 0 });
});

test("drain: connections end with the last request, and are made anew when the backend serves again", async () => {
  const held = Promise.withResolvers<ServerResponse>();
  const server = await httpServer((request, response) => {
    if (request.url === "/held") held.resolve(response);
    else response.end("served");
  });
  const balancer = balancerOver([server.url]);
  const request = createRequest(balancer);
  const first = request("/held");
  const response = await held.promise;
  const drained = balancer.drain(balancer.backends[0]?.id ?? "");
  expect(server.sockets.size).toBe(1);
  response.end("the last");
  expect(await (await first).body.text()).toBe("the last");
  await drained;
  await vi.waitFor(() => expect(server.sockets.size).toBe(0));
  expect(connectionStats(balancer)).toEqual({});
  balancer.enable(balancer.backends[0]?.id ?? "");
  expect(await (await request("/")).body.text()).toBe("served");
});

test("a removed backend serves those in line for it, then its connections end", async () => {
  const held: ServerResponse[] = [];
  const server = await httpServer((_request, response) => void held.push(response));
  const other = await httpServer();
  const balancer = balancerOver([server.url]);
  const request = createRequest(balancer, { pool: { connections: 1 } });
  const answers = Promise.all([request("/1"), request("/2")]);
  await vi.waitFor(() => expect(held).toHaveLength(1));
  balancer.set([other.url]);
  held[0]?.end();
  await vi.waitFor(() => expect(held).toHaveLength(2));
  held[1]?.end();
  for (const { body } of await answers) await body.dump();
  await vi.waitFor(() => expect(server.sockets.size).toBe(0));
});

test("closing the balancer ends what is under way and what stands in line", async () => {
  const asked = Promise.withResolvers<void>();
  const server = await httpServer(() => asked.resolve());
  const balancer = balancerOver([server.url]);
  const request = createRequest(balancer, { pool: { connections: 1 } });
  const results = Promise.allSettled([request("/1"), request("/2"), request("/3")]);
  await asked.promise;
  await balancer.close({ drainMs: 0 });
  expect((await results).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(connectionStats(balancer)).toEqual({});
  await vi.waitFor(() => expect(server.sockets.size).toBe(0));
});

test("a tunnel lives on when connections are closed behind it", async () => {
  const server = await httpServer();
  const echo = await rawServer((socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    socket.pipe(socket);
  });
  const balancer = balancerOver([{ id: "a", url: echo.url }]);
  const dispatcher = new BalancedDispatcher(balancer);
  const { socket } = await dispatcher.upgrade({ origin: "http://orders", path: "/", protocol: "echo" } as never);
  balancer.set([{ id: "a", url: server.url }]);
  await (await createRequest(balancer)("/")).body.dump();
  socket.write("hello");
  expect(String((await once(socket, "data"))[0])).toBe("hello");
  socket.destroy();
  await idle(balancer);
});

test("a script that forgets to close its connections to a host name ends all the same", {
  timeout: 20_000,
}, async () => {
  const server = await httpServer();
  const script = fileURLToPath(new URL("./exit-child.ts", import.meta.url));
  const url = server.url.replace("127.0.0.1", "localhost");
  const args = ["--no-warnings", "--conditions=@fairlead/source", script, url];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 15_000 });
  expect(stdout.trim()).toBe("done");
  expect(server.received).toHaveLength(3);
});
