import { describe, expect, it, vi } from "vitest";
import { describeAttempts, FairleadError } from "./errors.ts";

/** The class as another copy of the package has it. */
async function otherCopy(): Promise<typeof FairleadError> {
  vi.resetModules();
  const copy = (await import("./errors.ts")).FairleadError;
  expect(copy).not.toBe(FairleadError);
  return copy;
}

describe("a FairleadError", () => {
  it("is recognised by the class of another install, both ways", async () => {
    const Other = await otherCopy();
    expect(new Other("FAIRLEAD_ERR_CLOSED", "closed")).toBeInstanceOf(FairleadError);
    expect(new FairleadError("FAIRLEAD_ERR_CLOSED", "closed")).toBeInstanceOf(Other);
  });

  it("is an Error with code, message and stack", () => {
    const error = new FairleadError("FAIRLEAD_ERR_NO_BACKEND", "orders: nobody there");
    expect(error).toBeInstanceOf(Error);
    expect(error.code).toBe("FAIRLEAD_ERR_NO_BACKEND");
    expect(error.message).toBe("orders: nobody there");
    expect(error.stack).toContain("errors.test.ts");
    expect([error.attempts, error.problems]).toEqual([[], []]);
  });

  it("keeps its cause, and has none that was not given", () => {
    const cause = new Error("below");
    expect(new FairleadError("FAIRLEAD_ERR_DISCOVERY", "above", { cause }).cause).toBe(cause);
    expect("cause" in new FairleadError("FAIRLEAD_ERR_DISCOVERY", "above")).toBe(false);
  });

  it("bears the name that platforms know when it is a timeout, and its own otherwise", () => {
    expect(new FairleadError("FAIRLEAD_ERR_TIMEOUT", "late").name).toBe("TimeoutError");
    expect(new FairleadError("FAIRLEAD_ERR_CONFIG", "wrong").name).toBe("FairleadError");
  });
});

describe("what is no FairleadError", () => {
  it.each([new Error("plain"), { code: "FAIRLEAD_ERR_CONFIG" }, null, undefined, "FairleadError", 1, () => {}])(
    "is not taken for one: %s",
    (value) => {
      expect(value instanceof FairleadError).toBe(false);
    },
  );
});

describe("the description of attempts", () => {
  it("names backend, the best known reason, and time of each", () => {
    const attempt = { backend: "a:1", outcome: "failure", ms: 12.6, sent: true } as const;
    expect(
      describeAttempts([
        { ...attempt, status: 503, errorCode: "E" },
        { ...attempt, backend: "b:1", errorCode: "ECONNRESET", ms: 3.2 },
        { ...attempt, backend: "c:1" },
      ]),
    ).toBe("a:1: 503 after 13 ms; b:1: ECONNRESET after 3 ms; c:1: failure after 13 ms");
  });
});
