import type { AttemptResult } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import { blameNobody, judgeError, judgeStatus } from "./classify.ts";

const clock = virtualClock();
const result = (error: unknown, sent = true): AttemptResult => ({ failed: true, error, sent });
const coded = (code: string, message = ""): Error => Object.assign(new Error(message), { code });
const wrapped = (cause: unknown): Error => new TypeError("fetch failed", { cause });

describe("the verdict on a status", () => {
  test.each([
    [200, "success"],
    [204, "success"],
    [304, "success"],
    [307, "success"],
    [400, "success"],
    [401, "success"],
    [404, "success"],
    [408, "ignored"],
    [409, "success"],
    [421, "ignored"],
    [425, "ignored"],
    [429, "overload"],
    [499, "success"],
    [500, "failure"],
    [501, "success"],
    [502, "failure"],
    [503, "failure"],
    [504, "failure"],
    [505, "success"],
    [507, "failure"],
    [599, "failure"],
  ] as const)("%d is a %s", (status, outcome) => {
    expect(judgeStatus(status, null, clock)).toMatchObject({ outcome, origin: "backend" });
  });

  test("keeps the status where the call may be repeated because of it", () => {
    for (const status of [408, 421, 425, 429, 500, 503]) expect(judgeStatus(status, null, clock).status).toBe(status);
  });

  test("takes a 503 that says when to come back for an overload", () => {
    expect(judgeStatus(503, "2", clock)).toMatchObject({ outcome: "overload", retryAfterMs: 2_000 });
    expect(judgeStatus(503, "whenever", clock)).toMatchObject({ outcome: "failure", retryAfterMs: undefined });
    expect(judgeStatus(429, "2", clock)).toMatchObject({ outcome: "overload", retryAfterMs: 2_000 });
  });

  test("reads dates by the balancer's clock", () => {
    const date = new Date(clock.wallNow() + 90_000).toUTCString();
    const { retryAfterMs = 0 } = judgeStatus(429, date, clock);
    expect(Math.abs(retryAfterMs - 90_000)).toBeLessThan(1_000);
  });
});

describe("the verdict on an error", () => {
  test("follows what is known of sending", () => {
    expect(judgeError(result(wrapped(coded("ECONNRESET"))))).toMatchObject({ outcome: "failure" });
    expect(judgeError(result(wrapped(coded("ECONNRESET")), false))).toMatchObject({ outcome: "unreached" });
    expect(judgeError(result(wrapped(coded("ECONNREFUSED"))))).toMatchObject({ outcome: "unreached" });
  });

  test("takes an HTTP/2 stream that was refused for one that was never sent", () => {
    const refused = coded("ERR_HTTP2_STREAM_ERROR", "Stream closed with error code NGHTTP2_REFUSED_STREAM");
    expect(judgeError(result(refused))).toMatchObject({ outcome: "unreached" });
    expect(judgeError(result(wrapped(refused)))).toMatchObject({ outcome: "unreached" });
    const other = coded("ERR_HTTP2_STREAM_ERROR", "Stream closed with error code NGHTTP2_INTERNAL_ERROR");
    expect(judgeError(result(other))).toMatchObject({ outcome: "failure" });
  });

  test("blames no backend for the caller's mistakes, sent or not", () => {
    for (const code of ["UND_ERR_INVALID_ARG", "UND_ERR_NOT_SUPPORTED", "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH"])
      expect(judgeError(result(coded(code), false))).toMatchObject({ outcome: "ignored" });
    const error = coded("ECONNREFUSED");
    blameNobody(error);
    expect(judgeError(result(error))).toMatchObject({ outcome: "ignored" });
    for (const odd of [undefined, null, "text", 7]) {
      blameNobody(odd);
      expect(judgeError(result(odd))).toMatchObject({ outcome: "failure" });
    }
  });
});
