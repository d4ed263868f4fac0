import { describe, expect, test } from "vitest";
import { type RedirectToHttpsOptions, redirectToHttps } from "../../src/index.ts";

function redirect(
  url: string,
  options?: RedirectToHttpsOptions,
  init?: RequestInit,
): [number, string | null] | undefined {
  const response = redirectToHttps(new Request(url, init), options);
  return response && [response.status, response.headers.get("location")];
}

test.each([
  ["http://shop.example.com/a?b=1", "https://shop.example.com/a?b=1"],
  ["http://shop.example.com:80/", "https://shop.example.com/"],
  ["http://shop.example.com:8080/a", "https://shop.example.com:8080/a"],
  ["http://shop.example.com//evil.example/", "https://shop.example.com//evil.example/"],
  ["http://[2001:db8::1]/", "https://[2001:db8::1]/"],
])("%s is at %s", (from, to) => {
  expect(redirect(from)).toEqual([301, to]);
});

test("https is left alone", () => {
  expect(redirect("https://shop.example.com/")).toBeUndefined();
  expect(redirect("http://shop.example.com/", { client: { protocol: "https" } })).toBeUndefined();
});

test("what has a body keeps it, and the status can be chosen", () => {
  expect(redirect("http://shop.example.com/", {}, { method: "POST", body: "x" })?.[0]).toBe(308);
  expect(redirect("http://shop.example.com/", {}, { method: "HEAD" })?.[0]).toBe(301);
  expect(redirect("http://shop.example.com/", { status: 307 })?.[0]).toBe(307);
});

describe("behind a proxy", () => {
  const init = { headers: { "x-forwarded-proto": "https", "x-forwarded-host": "shop.example.com:80" } };

  test("its word on the scheme and the host counts if it is trusted", () => {
    expect(redirect("http://10.0.0.1:8080/a", { trust: { hops: 1 } }, init)).toBeUndefined();
    expect(redirect("http://10.0.0.1:8080/a", {}, init)).toEqual([301, "https://10.0.0.1:8080/a"]);
    const plain = { headers: { ...init.headers, "x-forwarded-proto": "http" } };
    const options = { trust: { proxies: ["10.0.0.0/8"] }, client: { ip: "10.1.1.1" } };
    expect(redirect("http://10.0.0.1:8080/a", options, plain)).toEqual([301, "https://shop.example.com/a"]);
    const elsewhere = { headers: { "x-forwarded-host": "shop.example.com" } };
    expect(redirect("http://10.0.0.1:8080/a", options, elsewhere)).toEqual([301, "https://shop.example.com/a"]);
    expect(redirect("http://10.0.0.1:8080/a", { ...options, client: { ip: "192.0.2.1" } }, plain)).toEqual([
      301,
      "https://10.0.0.1:8080/a",
    ]);
  });
});

test("options are checked all at once", () => {
  const options = { status: 200, trust: { proxies: ["x"] }, hsts: true } as unknown as RedirectToHttpsOptions;
  expect(() => redirect("http://shop.example.com/", options)).toThrow(
    /3 problems[^]*hsts[^]*status[^]*trust.proxies\[0\]/,
  );
});
