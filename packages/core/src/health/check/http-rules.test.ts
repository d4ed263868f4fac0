import { describe, expect, it } from "vitest";
import { OptionCheck } from "../../options.ts";
import { httpCheck } from "./http-check.ts";
import { checkUrl, resolveHttpRules } from "./http-rules.ts";
import { albHealthCheck, cloudflareMonitor } from "./known-monitors.ts";
import type { StatusExpectation } from "./statuses.ts";

function accepted(expectation: StatusExpectation | undefined): string {
  const { accepts } = resolveHttpRules(new OptionCheck(), { expect: expectation });
  return [199, 200, 204, 299, 300, 302, 404, 503].filter(accepts).join(" ");
}

describe("the statuses that pass", () => {
  it.each([
    [undefined, "200 204 299"],
    [200, "200"],
    ["200", "200"],
    ["2xx", "200 204 299"],
    ["200-299", "200 204 299"],
    ["200,204", "200 204"],
    ["200, 3XX", "200 300 302"],
    [[204, "302", "500-599"], "204 302 503"],
  ])("%s", (expectation, statuses) => {
    expect(accepted(expectation)).toBe(statuses);
  });
});

describe("the address of a check", () => {
  const none = { path: "/health?deep=1", port: undefined, protocol: undefined };
  it.each([
    ["http://10.0.0.1:8080", none, "http://10.0.0.1:8080/health?deep=1"],
    ["https://a.test/api", none, "https://a.test/api/health?deep=1"],
    ["wss://a.test:8443", none, "https://a.test:8443/health?deep=1"],
    ["ws://[::1]:81", { ...none, port: 9_000 }, "http://[::1]:9000/health?deep=1"],
    ["https://a.test", { ...none, protocol: "http" }, "http://a.test:443/health?deep=1"],
    ["https://a.test", { ...none, protocol: "http", port: 80 }, "http://a.test/health?deep=1"],
  ])("%s", (url, rules, address) => {
    expect(checkUrl({ url } as Parameters<typeof checkUrl>[0], rules).href).toBe(address);
  });
});

describe("options that are wrong", () => {
  it("are named all at once", () => {
    const options = {
      path: "health",
      method: "POST",
      expect: "2xy",
      body: "",
      redirects: "all",
      port: 0,
      headers: { "a b": "c" },
      intervalMs: 0,
      rise: 0.5,
      initial: "unknown",
      intervall: 1,
      fetch: 3,
    };
    expect(() => httpCheck(options as never)).toThrow(/^httpCheck: 12 problems/);
  });

  it("are an expectation of a body that can't come, and times that no timer can wait for", () => {
    expect(() => httpCheck({ method: "HEAD", body: "ok" })).toThrow(/body/);
    expect(() => httpCheck({ intervalMs: 2 ** 31 })).toThrow(/intervalMs/);
  });

  it("never show a header", () => {
    expect(() => httpCheck({ headers: { authorization: "Bearer secret\u0000" } })).toThrow(
      /^httpCheck: 1 problem\n {2}headers: got an object, expected names and values that HTTP allows$/,
    );
  });
});

describe("monitors known from elsewhere", () => {
  it("can be spread into a check", () => {
    expect(() => httpCheck({ ...albHealthCheck, path: "/health/ready" })).not.toThrow();
    expect(() => httpCheck({ ...cloudflareMonitor, path: "/api/health", redirects: "follow" })).not.toThrow();
  });
});
