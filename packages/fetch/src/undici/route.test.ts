import type { Backend } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { isClean } from "../target.ts";
import { cleanPath, Route } from "./route.ts";

const route = (spec: Backend["spec"]): Route => new Route({ url: spec.url, spec } as Backend);

describe("a path", () => {
  test.each(["/", "/a/b.c?d=e&f=%20", "/a?b=/c", "/..a".slice(0, 1)])("%j is sent as it is", (path) => {
    expect(isClean(path)).toBe(true);
    expect(cleanPath(path, "http://orders")).toBe(path);
  });

  test.each([
    ["/../a", "/a"],
    ["/a/./b", "/a/b"],
    ["/%2e%2E/a", "/a"],
    ["/a/%2e", "/a/"],
    ["/a\\..\\b", "/b"],
    ["/a b", "/a%20b"],
    ["/é", "/%C3%A9"],
    ["/a#b", "/a"],
    ["/\r\nx: y", "/x:%20y"],
    ["//a", "//a"],
  ])("%j is sent as %j", (path, clean) => {
    expect(isClean(path)).toBe(false);
    expect(cleanPath(path, "http://orders")).toBe(clean);
  });

  test.each(["", "a", "http://evil.test/", "*"])("%j is refused", (path) => {
    expect(() => cleanPath(path, "http://orders")).toThrow("path must start with a slash");
  });
});

describe("the way to a backend", () => {
  test("goes to its origin, behind its prefix", () => {
    const own = { headers: { a: "1" }, method: "GET" } as const;
    expect(route({ url: "http://h:1/v1" }).address({ ...own }, "/a", 5, 4)).toEqual({
      ...own,
      origin: "http://h:1",
      path: "/v1/a",
      bodyTimeout: 5,
      headersTimeout: 5,
    });
    expect(route({ url: "ws://h:1" }).address({ bodyTimeout: 7 }, "/a", false, 8)).toMatchObject({
      origin: "http://h:1",
      bodyTimeout: 7,
      headersTimeout: 0,
    });
    expect(route({ url: "http://h:1" }).address({}, "/a", false, Number.POSITIVE_INFINITY)).toMatchObject({
      bodyTimeout: 0,
      headersTimeout: 0,
    });
  });

  test("names the host that the backend says, unless the caller does, in any form of headers", () => {
    const { host, ...spec } = { url: "http://h:1", host: "orders.test" };
    const headersOf = (headers: object | null | undefined) =>
      route({ ...spec, host }).address({ headers } as { headers: Record<string, string> }, "/", false, 1).headers;
    expect(headersOf(undefined)).toEqual({ host });
    expect(headersOf(null)).toEqual({ host });
    expect(headersOf({ a: "1" })).toEqual({ a: "1", host });
    expect(headersOf({ Host: "own.test" })).toEqual({ Host: "own.test" });
    expect(headersOf(["a", "1"])).toEqual(["a", "1", "host", host]);
    expect(headersOf(["HOST", "own.test"])).toEqual(["HOST", "own.test"]);
    expect(headersOf(new Map([["a", "1"]]))).toEqual({ a: "1", host });
    expect(headersOf(new Headers({ a: "1" }))).toEqual({ a: "1", host });
  });

  test("asks in TLS for the name of the backend's `tls`, its `host` or its URL, never for an address", () => {
    expect(route({ url: "https://h:1" }).serverName).toBe("h");
    expect(route({ url: "https://h:1", host: "orders.test:1" }).serverName).toBe("orders.test");
    expect(route({ url: "https://h:1", host: "o.test", tls: { serverName: "s.test" } }).serverName).toBe("s.test");
    expect(route({ url: "https://10.0.0.1" }).serverName).toBeUndefined();
    expect(route({ url: "https://[::1]:1" }).serverName).toBeUndefined();
    expect(route({ url: "http://h:1", host: "orders.test" }).serverName).toBeUndefined();
  });
});
