// Names by a real DNS server: its time holds, its change is followed, its absence is survived.
import { virtualClock } from "@fairlead/core/testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createRequest, dnsResolver } from "../../src/undici/index.ts";
import { balancerOver } from "../support/balancers.ts";
import { httpServer } from "../support/servers.ts";
import { type DnsServer, hasDnsServer, startDns } from "./dns-server.ts";
import { statsOf } from "./support.ts";

const required = process.env["FAIRLEAD_REQUIRE_SERVERS"] === "1";
const skipped = "dnsmasq is neither on the PATH nor in /usr/sbin (pnpm setup:servers installs it)";

const open: DnsServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.stop()));
});

async function dns(addresses: readonly string[], ttl: number, port?: number): Promise<DnsServer> {
  const server = await startDns("orders.test", addresses, ttl, port);
  open.push(server);
  return server;
}

if (!hasDnsServer && required) test("the DNS server that the tests need is there", () => expect.fail(skipped));
else if (!hasDnsServer) console.warn(`names by a real DNS server are not tested: ${skipped}`);

describe.runIf(hasDnsServer)("names by a DNS server", { timeout: 30_000 }, () => {
  test("addresses of both families and their time are those of the server", async () => {
    const { port } = await dns(["127.0.0.1", "::1"], 17);
    const resolve = dnsResolver({ servers: [`127.0.0.1:${port}`] });
    const { signal } = new AbortController();
    expect(await resolve("orders.test", signal)).toEqual({
      addresses: ["::1", "127.0.0.1"],
      ttlMs: 17_000,
      complete: true,
    });
    await expect(resolve("other.test", signal)).rejects.toMatchObject({
      code: expect.stringMatching(/REFUSED|NOTFOUND/),
    });
  });

  test("a backend that moves is followed when its time is up, and kept while the server is away", async () => {
    const before = await httpServer((_request, response) => void response.end("before"));
    const after = await httpServer((_request, response) => void response.end("after"), {
      host: "127.0.0.2",
      port: before.port,
    });
    const first = await dns(["127.0.0.1"], 20);
    const clock = virtualClock();
    const balancer = balancerOver([`http://orders.test:${before.port}`], { clock });
    const resolve = dnsResolver({ servers: [`127.0.0.1:${first.port}`] });
    const request = createRequest(balancer, { pool: { keepAliveTimeout: 60_000, names: { resolve } } });
    const ask = async (): Promise<string> => (await request("/")).body.text();
    expect(await ask()).toBe("before");
    await first.stop();
    await clock.advance(20_000);
    expect(await ask()).toBe("before");
    expect(statsOf(balancer).connected).toBe(1);
    await dns(["127.0.0.2"], 20, first.port);
    await vi.waitFor(
      async () => {
        await clock.advance(5_000);
        expect(before.sockets.size).toBe(0);
      },
      { timeout: 10_000, interval: 50 },
    );
    expect(await ask()).toBe("after");
    expect(after.sockets.size).toBe(1);
  });
});
