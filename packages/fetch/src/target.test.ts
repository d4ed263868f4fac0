import type { Backend } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { backendUrl, logicalUrl } from "./target.ts";

const orders = { origin: "http://orders", serves: (origin: string) => origin === "http://orders" };

describe("the URL of a call", () => {
  test.each([
    ["/a?b#c", "http://orders/a?b#c"],
    ["a/b", "http://orders/a/b"],
    ["?a=1", "http://orders/?a=1"],
    ["", "http://orders/"],
    ["/../a", "http://orders/a"],
    ["/a/%2e%2e/b", "http://orders/b"],
    ["http://orders", "http://orders/"],
    ["HTTP://ORDERS:80/a", "http://orders/a"],
    ["http:\\\\orders\\a", "http://orders/a"],
    [" /a ", "http://orders/a"],
  ])("%j is %s", (input, href) => {
    expect(logicalUrl(input, orders)?.href).toBe(href);
  });

  test.each(["http://other/a", "https://orders/a", "http://orders:8080/a", "data:,x", "http://orders.evil.test/"])(
    "%j is none of ours",
    (input) => {
      expect(logicalUrl(input, orders)).toBeUndefined();
    },
  );

  test.each([
    "//other/a",
    "///other/a",
    "/\\other/a",
    "\\\\other",
    "/\t/other",
    "http://user:word@orders/",
    "http://a b/",
  ])("%j is refused", (input) => {
    expect(() => logicalUrl(input, orders)).toThrow(TypeError);
  });
});

const at = (url: string) => backendUrl({ url } as Backend, "//a/b?c=d");

test("a backend's URL is a prefix", () => {
  expect(at("http://10.0.0.1:8080")).toBe("http://10.0.0.1:8080//a/b?c=d");
  expect(at("https://10.0.0.1/v1")).toBe("https://10.0.0.1/v1//a/b?c=d");
  expect(at("wss://10.0.0.1")).toBe("https://10.0.0.1//a/b?c=d");
});
