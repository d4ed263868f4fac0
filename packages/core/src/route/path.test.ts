import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBelow, prefixOf, readPath } from "./path.ts";
import { Rewriting } from "./rewriting.ts";

const below = (path: string, prefix: string): boolean => isBelow(readPath(path).text, prefixOf(prefix));

describe("a path", () => {
  it.each([
    ["/v1", "/v1"],
    ["/v1/", "/v1"],
    ["/v1/x", "/v1"],
    ["/v1/x", "/v1/"],
    ["/", "/"],
    ["/anything", "/"],
    ["/%76%31/x", "/v1"],
    ["/v1/x", "/%76%31"],
    ["//v1///x", "/v1"],
    ["/./v1/x", "/v1"],
    ["/%2e/v1", "/v1"],
    ["/a/../v1", "/v1"],
    ["/a/%2E%2e/v1", "/v1"],
    ["/a//../v1", "/a/v1"],
    ["\\v1\\x", "/v1"],
    ["/caf%c3%a9/x", "/caf%C3%A9"],
    ["/café/x", "/caf%c3%a9"],
    ["/a%2Fb/x", "/a%2fb"],
    ["/.well-known/x", "/.well-known"],
  ])("%s is below %s", (path, prefix) => {
    expect(below(path, prefix)).toBe(true);
  });

  it.each([
    ["/v10", "/v1"],
    ["/v1%2Fx", "/v1"],
    ["/v1%5cx", "/v1"],
    ["/V1", "/v1"],
    ["/v1/../x", "/v1"],
    ["/v1/%2e%2e/x", "/v1"],
    ["/v1;a", "/v1"],
    ["/v", "/v1"],
    ["/%", "/v1"],
  ])("%s is not below %s", (path, prefix) => {
    expect(below(path, prefix)).toBe(false);
  });

  it("is sent as it came, but for dot segments", () => {
    expect(readPath("//v1//%61%2f/x").sent).toBe("//v1//%61%2f/x");
    expect(readPath("/a/%2e%2e/b//c").sent).toBe("/b//c");
    expect(readPath("/plain/a.b").sent).toBe("/plain/a.b");
    expect(readPath("/%").sent).toBe("/%");
  });
});

describe("a rewriting", () => {
  it.each([
    ["/v1/x", "/v1", "/", "/x"],
    ["/v1", "/v1", "/", "/"],
    ["/v1/", "/v1", "/", "/"],
    ["/v1", "/v1", "/v2", "/v2"],
    ["/v1/", "/v1", "/v2/", "/v2/"],
    ["/x", "/", "/api", "/api/x"],
    ["/", "/", "/api", "/api/"],
    ["//%76%31/%61%2fb//c", "/v1", "/v2", "/v2/%61%2fb//c"],
    ["/v1//evil.test", "/v1", "/", "/evil.test"],
    ["/v1///evil.test/x", "/v1", "/", "/evil.test/x"],
  ])("%s with %s for %s becomes %s", (path, from, to, sent) => {
    expect(new Rewriting(to).apply(readPath(path), prefixOf(from))).toBe(sent);
  });

  it("is undone by what it is undone with", () => {
    const segment = fc.stringMatching(/^[a-z0-9%2f.]{1,5}$/);
    const prefix = fc
      .array(fc.stringMatching(/^[a-z0-9]{1,4}$/), { maxLength: 3 })
      .map((parts) => `/${parts.join("/")}`);
    fc.assert(
      fc.property(prefix, prefix, fc.array(segment, { minLength: 1, maxLength: 4 }), (from, to, rest) => {
        const { sent } = readPath(`${from === "/" ? "" : from}/${rest.join("/")}`);
        fc.pre(below(sent, from));
        const rewriting = new Rewriting(to);
        const backend = rewriting.apply(readPath(sent), prefixOf(from));
        expect(readPath(backend).text.startsWith("//")).toBe(false);
        expect(readPath(rewriting.undo(backend, prefixOf(from))).text).toBe(readPath(sent).text);
      }),
      { seed: 6, numRuns: 500 },
    );
  });

  it("leaves alone what lies elsewhere", () => {
    expect(new Rewriting("/v2").undo("/login", "/v1")).toBe("/login");
    expect(new Rewriting("/v2").undo("/v20", "/v1")).toBe("/v20");
    expect(new Rewriting("/v2").undo("/v2", "/v1")).toBe("/v1");
    expect(new Rewriting("/").undo("/", "/v1")).toBe("/v1/");
  });
});
