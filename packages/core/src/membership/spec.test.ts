import { describe, expect, it } from "vitest";
import { OptionCheck } from "../options.ts";
import { type ResolvedSpec, resolveSpecs } from "./spec.ts";

function resolve(...specs: readonly unknown[]): { readonly specs: readonly ResolvedSpec[]; readonly paths: string[] } {
  const check = new OptionCheck();
  const resolved = resolveSpecs(check, "backends", specs);
  return { specs: resolved, paths: check.problems.map(({ path }) => path) };
}

describe("a good specification", () => {
  it("gets its defaults", () => {
    expect(resolve("http://10.0.0.1:8080").specs).toEqual([
      {
        url: "http://10.0.0.1:8080",
        id: "10.0.0.1:8080",
        weight: 1,
        priority: 0,
        zone: undefined,
        labels: {},
        host: undefined,
        tls: undefined,
        state: "enabled",
      },
    ]);
  });

  it.each([
    ["http://a", "a:80"],
    ["ws://a", "a:80"],
    ["https://a", "a:443"],
    ["wss://a", "a:443"],
    ["https://a:8443", "a:8443"],
    ["http://[::1]:9000", "[::1]:9000"],
    ["http://A.Example", "a.example:80"],
  ])("is identified by host and port: %s is %s", (url, id) => {
    expect(resolve(url).specs[0]?.id).toBe(id);
  });

  it.each([
    ["http://a/", "http://a"],
    ["http://a/api/", "http://a/api"],
    ["http://a/api//", "http://a/api"],
    ["http://a:80/api", "http://a/api"],
  ])("has its URL without trailing slash: %s is %s", (url, plain) => {
    expect(resolve(url).specs[0]?.url).toBe(plain);
  });

  it("may share its address under another id", () => {
    const { specs, paths } = resolve("http://a", { url: "http://a", id: "second" });
    expect(paths).toEqual([]);
    expect(specs.map(({ id }) => id)).toEqual(["a:80", "second"]);
  });

  it("cannot be changed afterwards", () => {
    expect(Object.isFrozen(resolve("http://a").specs[0])).toBe(true);
  });
});

describe("a bad specification", () => {
  const url = "http://a";
  it.each<[unknown, string]>([
    ["", "backends[0]"],
    ["a:8080", "backends[0]"],
    ["/relative", "backends[0]"],
    ["ftp://a", "backends[0]"],
    ["http://a?x=1", "backends[0]"],
    ["http://a#x", "backends[0]"],
    [7, "backends[0]"],
    [null, "backends[0]"],
    [["http://a"], "backends[0]"],
    [{}, "backends[0].url"],
    [{ url: 7 }, "backends[0].url"],
    [{ url, weight: 0 }, "backends[0].weight"],
    [{ url, weight: -1 }, "backends[0].weight"],
    [{ url, weight: Number.NaN }, "backends[0].weight"],
    [{ url, weight: Number.POSITIVE_INFINITY }, "backends[0].weight"],
    [{ url, weight: "1" }, "backends[0].weight"],
    [{ url, weight: 2e9 }, "backends[0].weight"],
    [{ url, priority: -1 }, "backends[0].priority"],
    [{ url, priority: 0.5 }, "backends[0].priority"],
    [{ url, priority: 128 }, "backends[0].priority"],
    [{ url, id: "" }, "backends[0].id"],
    [{ url, zone: 1 }, "backends[0].zone"],
    [{ url, labels: { a: 1 } }, "backends[0].labels"],
    [{ url, host: "a\r\nb" }, "backends[0].host"],
    [{ url, state: "down" }, "backends[0].state"],
    [{ url, tls: { rejectUnauthorized: "no" } }, "backends[0].tls.rejectUnauthorized"],
    [{ url, tls: "yes" }, "backends[0].tls"],
    [{ url, wieght: 2 }, "backends[0].wieght"],
  ])("is left out, and named: %j", (spec, path) => {
    const { specs, paths } = resolve(spec, "http://b");
    expect(paths).toEqual([path]);
    expect(specs.map(({ id }) => id)).toEqual(["b:80"]);
  });

  it("guesses a misspelt key", () => {
    const check = new OptionCheck();
    resolveSpecs(check, "backends", [{ url, wieght: 2 }]);
    expect(check.problems[0]?.didYouMean).toBe("weight");
  });

  it("is a second one of the same id: the first stays", () => {
    const { specs, paths } = resolve("http://a", { url: "http://a:80/other", weight: 5 });
    expect(paths).toEqual(["backends[1].id"]);
    expect(specs).toMatchObject([{ url: "http://a", weight: 1 }]);
  });
});
