// Rules by status and error, through every client.
import { outcomeRules } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { createFetch } from "../src/index.ts";
import { createRequest } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { clients } from "./support/clients.ts";
import { httpServer, rawServer } from "./support/servers.ts";

const NO_BACKOFF = { delayMs: 0 };

const answering = (status: number, headers: Record<string, string> = {}) =>
  httpServer((_request, response) => response.writeHead(status, headers).end(String(status)));

describe.each(clients)("through $name", (client) => {
  test("a balancer's rules change outcomes, and what is repeated only with retry.statusCodes", async () => {
    const [bad, good] = [await answering(404), await answering(200)];
    const classify = outcomeRules({ statuses: { "404": "failure" } });
    const balancer = balancerOver([bad.url, good.url], { classify, retry: NO_BACKOFF });
    expect(await (await client.connect(balancer)("/")).text()).toBe("404");
    balancer.configure({ retry: { statusCodes: [404] } });
    expect(await (await client.connect(balancer)("/")).text()).toBe("200");
    expect((await client.connect(balancer)("/", { method: "POST" })).status).toBe(404);
    await idle(balancer);
    expect(counters(balancer, 0)).toMatchObject({ failures: 3, successes: 0 });
  });

  test("a client's rules count first, and a success is an answer", async () => {
    const [bad, good] = [await answering(503, { "retry-after": "20" }), await answering(200)];
    const balancer = balancerOver([bad.url, good.url], { classify: outcomeRules({ statuses: { "5xx": "failure" } }) });
    const call = client.connect(balancer, undefined, { classify: outcomeRules({ statuses: { "503": "success" } }) });
    expect(await (await call("/")).text()).toBe("503");
    await idle(balancer);
    expect(counters(balancer, 0)).toMatchObject({ successes: 1, overloads: 0, failures: 0 });
  });

  test("what they leave alone stays: a pause, a load, the built-in verdict", async () => {
    const bad = await answering(503, { "retry-after": "20" });
    const balancer = balancerOver([bad.url], {
      classify: outcomeRules({ statuses: { "503": "failure", "404": "failure" } }),
    });
    expect((await client.connect(balancer, undefined, { retry: false })("/")).status).toBe(503);
    await idle(balancer);
    expect(counters(balancer, 0)).toMatchObject({ failures: 1, overloads: 0, health: "paused" });
  });

  test("a rule for an error is found by its code", async () => {
    const [bad, good] = [await rawServer((socket) => socket.destroy()), await answering(200)];
    const balancer = balancerOver([bad.url, good.url], {
      retry: NO_BACKOFF,
      classify: outcomeRules({ errors: { UND_ERR_SOCKET: "ignored" } }),
    });
    await expect(client.connect(balancer)("/")).rejects.toThrow();
    await idle(balancer);
    expect(counters(balancer, 0)).toMatchObject({ ignored: 1, failures: 0 });
    expect(good.received).toEqual([]);
  });

  test("a status that HTTP does not know is a failure", async () => {
    const bad = await rawServer((socket) => socket.write("HTTP/1.1 999 Go away\r\ncontent-length: 2\r\n\r\nno"));
    const balancer = balancerOver([bad.url], { retry: false });
    const ended = await client
      .connect(balancer)("/")
      .then(
        async (response) => [response.status, await response.text()],
        (error: unknown) => error,
      );
    expect(ended).toEqual([999, "no"]);
    await idle(balancer);
    expect(counters(balancer, 0)).toMatchObject({ failures: 1 });
  });
});

test.each([
  ["createFetch", createFetch],
  ["createRequest", createRequest],
])("%s takes rules for one call, which are made once for many", async (_name, create) => {
  const server = await answering(404);
  const balancer = balancerOver([server.url]);
  const fairlead = { classify: outcomeRules({ statuses: { "4xx": "overload" } }) };
  for (let i = 0; i < 2; i++) await create(balancer)("/", { fairlead });
  await create(balancer)("/");
  expect(counters(balancer, 0)).toMatchObject({ overloads: 2, successes: 1 });
  const plain = { classify: { statuses: { "404": "failure" } } } as never;
  await expect(create(balancer)("/", { fairlead: plain })).rejects.toThrow(/classify.*outcomeRules/);
});

test.each([
  ["createFetch", createFetch],
  ["createRequest", createRequest],
])("%s blames no backend where a rule asks for a body again that was read", async (_name, create) => {
  const bad = await rawServer((socket) => socket.destroy());
  const good = await answering(200);
  const balancer = balancerOver([bad.url, good.url], { retry: NO_BACKOFF });
  const init = {
    method: "POST" as const,
    body: new Blob(["hello"]).stream(),
    duplex: "half",
    fairlead: { classify: outcomeRules({ errors: { UND_ERR_SOCKET: "unreached" } }) },
  };
  await expect(create(balancer)("/", init as never)).rejects.toThrow();
  await idle(balancer);
  expect(counters(balancer, 1)).toMatchObject({ failures: 0, unreached: 0 });
  expect(good.received).toEqual([]);
});
