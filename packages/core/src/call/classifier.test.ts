import { describe, expect, it } from "vitest";
import { classifyResult, errorCodeOf, isReport, toReport } from "./classifier.ts";

const failed = (error: unknown, sent = true) => classifyResult({ failed: true, error, sent });
const coded = (code: string, options?: ErrorOptions): Error => Object.assign(new Error(code, options), { code });

describe("the built-in verdict", () => {
  it.each([undefined, null, 0, new Error("returned, not thrown"), { status: 500 }])(
    "on a value is success, whatever it is: %s",
    (value) => {
      expect(classifyResult({ failed: false, value, sent: true })).toEqual({ outcome: "success" });
    },
  );

  it.each([
    "ECONNREFUSED",
    "ENOTFOUND",
    "EAI_AGAIN",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "UND_ERR_CONNECT_TIMEOUT",
    "CERT_HAS_EXPIRED",
    "ERR_TLS_CERT_ALTNAME_INVALID",
  ])("on %s is unreached: no connection came about", (errorCode) => {
    expect(failed(coded(errorCode))).toEqual({ outcome: "unreached", origin: "local", errorCode });
  });

  it.each([
    "ECONNRESET",
    "EPIPE",
    "ETIMEDOUT",
    "UND_ERR_SOCKET",
    "UND_ERR_HEADERS_TIMEOUT",
    "UND_ERR_BODY_TIMEOUT",
    "ECONNABORTED",
  ])("on %s is a failure: something may have been sent", (errorCode) => {
    expect(failed(coded(errorCode))).toEqual({ outcome: "failure", origin: "local", errorCode });
  });

  it.each(["ETIMEDOUT", "ECONNRESET", "EACCES", "ENOENT"])("on %s is unreached where connecting failed", (code) => {
    const failedTo = (syscall: string): Error => Object.assign(coded(code), { syscall });
    expect(failed(failedTo("connect")).outcome).toBe("unreached");
    expect(failed(new TypeError("fetch failed", { cause: failedTo("connect") })).outcome).toBe("unreached");
    expect(failed(new AggregateError([failedTo("connect"), failedTo("connect")])).outcome).toBe("unreached");
    for (const syscall of ["read", "write", "open"]) expect(failed(failedTo(syscall)).outcome).toBe("failure");
  });

  it("on any error is unreached if it is known that nothing was sent", () => {
    expect(failed(coded("ECONNRESET"), false).outcome).toBe("unreached");
  });

  it.each([undefined, null, "text", 7, {}])("on what is no error is a failure: %s", (error) => {
    expect(failed(error)).toMatchObject({ outcome: "failure" });
  });
});

describe("the code of an error", () => {
  it("is the first along the chain of causes", () => {
    const fetchFailed = new TypeError("fetch failed", { cause: coded("ECONNREFUSED") });
    expect(errorCodeOf(fetchFailed)).toBe("ECONNREFUSED");
    expect(errorCodeOf(new Error("mine", { cause: fetchFailed }))).toBe("ECONNREFUSED");
    expect(errorCodeOf(coded("OUTER", { cause: coded("INNER") }))).toBe("OUTER");
  });

  it("is the first address's, where there was one error per address", () => {
    expect(errorCodeOf(new AggregateError([coded("ECONNREFUSED"), coded("ENETUNREACH")]))).toBe("ECONNREFUSED");
  });

  it("is the name where there is no code", () => {
    expect(errorCodeOf(new RangeError("x"))).toBe("RangeError");
    expect(errorCodeOf(new DOMException("x", "AbortError"))).toBe("AbortError");
  });

  it("is not a number, such as a DOMException's", () => {
    expect(errorCodeOf(Object.assign(new Error("x"), { code: 20 }))).toBe("Error");
  });

  it("is found though causes go round in circles", () => {
    const error = new Error("x");
    error.cause = error;
    expect(errorCodeOf(error)).toBe("Error");
  });

  it.each([undefined, null, "ECONNREFUSED", 1])("is none of what is no object: %s", (error) => {
    expect(errorCodeOf(error)).toBeUndefined();
  });
});

describe("a user's verdict", () => {
  it.each(["success", "failure", "overload", "unreached", "ignored"])("may be the word %s, or a report", (outcome) => {
    expect([isReport(outcome), isReport({ outcome })]).toEqual([true, true]);
    expect(toReport(outcome as "success")).toEqual({ outcome });
  });

  it.each([undefined, null, "", "ok", true, {}, { outcome: "ok" }, [], Promise.resolve("success")])(
    "may not be %s",
    (verdict) => {
      expect(isReport(verdict)).toBe(false);
    },
  );
});
