import { describe, expect, it } from "vitest";
import { HostRule, hostRule } from "./host-rule.ts";

describe("a rule for hosts", () => {
  it.each([
    ["api.example.com", "api.example.com"],
    ["API.example.COM", "api.example.com"],
    ["api.example.com", "api.example.com:8080"],
    ["api.example.com", "api.example.com."],
    ["api.example.com.", "api.example.com"],
    ["api.example.com:8080", "api.example.com:8080"],
    ["*.example.com", "a.example.com"],
    ["*.example.com", "a.b.example.com:81"],
    ["*.example.com:81", "a.b.example.com:81"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["[::1]", "[::1]"],
    ["[0:0::1]:8080", "[::1]:8080"],
    ["127.1", "127.0.0.1:3000"],
    ["my_service", "my_service"],
  ])("%s holds for %s", (rule, host) => {
    expect(hostRule.accepts(rule)).toBe(true);
    expect(new HostRule(rule).holds(host)).toBe(true);
  });

  it.each([
    ["api.example.com", "example.com"],
    ["api.example.com", "evil-api.example.com"],
    ["api.example.com", "api.example.com.evil.test"],
    ["api.example.com:8080", "api.example.com"],
    ["api.example.com:8080", "api.example.com:80801"],
    ["*.example.com", "example.com"],
    ["*.example.com", ".example.com"],
    ["*.example.com", "evilexample.com"],
    ["*.example.com:81", "a.example.com:82"],
    ["[::1]", "[::2]:1"],
  ])("%s does not hold for %s", (rule, host) => {
    expect(new HostRule(rule).holds(host)).toBe(false);
  });

  it.each([
    "",
    "*",
    "*.",
    "a.*.com",
    "http://a.test",
    "a.test/x",
    "a.test:80",
    "a.test:443",
    "a test",
    "a:b",
    "u@a.test",
    "a.test:",
    7,
  ])("%j is none", (rule) => {
    expect(hostRule.accepts(rule)).toBe(false);
  });
});
