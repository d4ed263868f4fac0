// What backends report of their own load comes to the strategy that goes by it, through every client.
import { reportedLoad } from "@fairlead/core";
import { describe, expect, it } from "vitest";
import { balancerOver } from "./support/balancers.ts";
import { clients } from "./support/clients.ts";
import { httpServer } from "./support/servers.ts";

/** Answers with this header, whatever the status. */
const reporting = (status: number, header: Record<string, string>) =>
  httpServer((_, response) => void response.writeHead(status, header).end("ok"));

describe.each(clients)("through $name, a load report", (client) => {
  it.each([200, 404, 500])("on a %d is read by a strategy that goes by it", async (status) => {
    const server = await reporting(status, { "endpoint-load-metrics": "TEXT cpu_utilization=0.5,rps_fractional=80" });
    const balancer = balancerOver([server.url], { strategy: reportedLoad(), retry: false });
    const answer = await client.connect(balancer)("/");
    expect([answer.status, await answer.text()]).toEqual([status, "ok"]);
    expect(balancer.backends[0]?.reported?.load).toEqual({ cpuUtilization: 0.5, requestsPerSecond: 80 });
  });

  it("in a header of another name is read from there", async () => {
    const server = await reporting(200, { "x-load": 'JSON {"cpu_utilization":0.25}' });
    const balancer = balancerOver([server.url], { strategy: reportedLoad({ header: "X-Load" }) });
    await (await client.connect(balancer)("/")).text();
    expect(balancer.backends[0]?.reported?.load).toEqual({ cpuUtilization: 0.25 });
  });

  it("that is garbage is passed over, with an event, and the answer is whole", async () => {
    const server = await reporting(200, { "endpoint-load-metrics": `TEXT ${"x".repeat(9_000)}` });
    const balancer = balancerOver([server.url], { strategy: reportedLoad() });
    const ignored: string[] = [];
    balancer.on("loadReportIgnored", ({ text }) => ignored.push(text));
    expect(await (await client.connect(balancer)("/")).text()).toBe("ok");
    expect(ignored).toEqual([`TEXT ${"x".repeat(95)}`]);
    expect(balancer.backends[0]?.reported).toBeUndefined();
  });

  it("is left alone by strategies that don't go by it", async () => {
    const server = await reporting(200, { "endpoint-load-metrics": "TEXT cpu_utilization=0.5" });
    const balancer = balancerOver([server.url]);
    await (await client.connect(balancer)("/")).text();
    expect(balancer.backends[0]?.reported).toBeUndefined();
  });
});
