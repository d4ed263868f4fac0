import { describe, expect, test } from "vitest";
import { fromIncoming } from "./incoming.ts";

const COUNT = "x-envoy-attempt-count";
const LEFT = "x-envoy-expected-rq-timeout-ms";

describe("an incoming request", () => {
  test.each([
    [{ [COUNT]: "2" }, true],
    [{ [COUNT]: " 3 " }, true],
    [{ [COUNT]: ["2"] }, true],
    [{ "X-Envoy-Attempt-Count": "2" }, true],
    [{ "grpc-previous-rpc-attempts": "1" }, true],
    [{ [COUNT]: "1", "grpc-previous-rpc-attempts": "1" }, true],
    [{ [COUNT]: "1" }, false],
    [{ [COUNT]: "0" }, false],
    [{ [COUNT]: "-2" }, false],
    [{ [COUNT]: "2.5" }, false],
    [{ [COUNT]: "two" }, false],
    [{ [COUNT]: "2, 3" }, false],
    [{ [COUNT]: ["2", "3"] }, false],
    [{ [COUNT]: "1e9" }, false],
    [{ "grpc-previous-rpc-attempts": "0" }, false],
    [{ [COUNT]: undefined }, false],
    [{}, false],
  ])("with %j is a retry: %s", (headers, isRetry) => {
    expect(fromIncoming(headers)).toEqual(isRetry ? { retry: false } : {});
  });

  test.each([
    ["1", 1],
    ["1500", 1_500],
    ["2147483647", 2_147_483_647],
    ["2147483648", undefined],
    ["99999999999999999999", undefined],
    ["0", undefined],
    ["-5", undefined],
    ["+5", undefined],
    ["1.5", undefined],
    ["0x10", undefined],
    ["1 000", undefined],
    ["Infinity", undefined],
    ["NaN", undefined],
    ["", undefined],
  ])("whose caller has %j ms left has a limit of %s ms", (text, deadlineLimitMs) => {
    expect(fromIncoming({ [LEFT]: text })).toEqual(deadlineLimitMs === undefined ? {} : { deadlineLimitMs });
  });

  test.each([
    ["100m", 100],
    ["5S", 5_000],
    ["2M", 120_000],
    ["1H", 3_600_000],
    ["500u", 0.5],
    ["2000000n", 2],
    ["99999999S", undefined],
    ["0S", undefined],
    ["100", undefined],
    ["m", undefined],
    ["-1S", undefined],
    ["1.5S", undefined],
    ["123456789m", undefined],
    ["5s", undefined],
    ["5S ", 5_000],
  ])("with a grpc-timeout of %j has a limit of %s ms", (text, deadlineLimitMs) => {
    expect(fromIncoming({ "grpc-timeout": text })).toEqual(deadlineLimitMs === undefined ? {} : { deadlineLimitMs });
  });

  test("goes by the shorter of two times, and by the one that can be read", () => {
    expect(fromIncoming({ [LEFT]: "300", "grpc-timeout": "200m" })).toEqual({ deadlineLimitMs: 200 });
    expect(fromIncoming({ [LEFT]: "100", "grpc-timeout": "200m" })).toEqual({ deadlineLimitMs: 100 });
    expect(fromIncoming({ [LEFT]: "soon", "grpc-timeout": "200m" })).toEqual({ deadlineLimitMs: 200 });
  });

  test("may be one of fetch, of Node, or hold nothing", () => {
    const entries = { [COUNT]: "2", [LEFT]: "300" };
    for (const headers of [new Headers(entries), entries, new Request("http://a.test", { headers: entries }).headers])
      expect(fromIncoming(headers)).toEqual({ retry: false, deadlineLimitMs: 300 });
    expect(fromIncoming(new Headers())).toEqual({});
    // A header of that name is none of Headers.
    expect(fromIncoming({ get: "x", [COUNT]: "2" })).toEqual({ retry: false });
    expect(fromIncoming(Object.create(null))).toEqual({});
  });
});
