import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FairleadError } from "../errors.ts";
import type { Classifier } from "./classifier.ts";
import { OUTCOMES, type Outcome, type Report } from "./outcome.ts";
import { type OutcomeRules, outcomeRules } from "./outcome-rules.ts";

const STANDARD: Report = { outcome: "success", origin: "backend", retryAfterMs: 7, load: "TEXT cpu=1" };
const answer = (classify: Classifier, value: unknown, standard = STANDARD) =>
  classify({ failed: false, value, sent: true }, standard);
const failure = (classify: Classifier, error: unknown, sent = true) =>
  classify({ failed: true, error, sent }, { outcome: sent ? "failure" : "unreached", origin: "local" });
const coded = (code: string): Error => Object.assign(new Error(code), { code });

const outcomes = (entries: [string, Outcome][]): (string | undefined)[] =>
  [403, 404, 411].map((status) => {
    const report = answer(outcomeRules({ statuses: Object.fromEntries(entries) }), { status });
    return (report as Report | undefined)?.outcome;
  });

describe("a rule for statuses", () => {
  const classify = outcomeRules({ statuses: { "404": "failure", "5xx": "success", "500-503": "overload" } });

  it("changes the outcome, and nothing else that was said", () => {
    expect(answer(classify, { status: 404 })).toEqual({ ...STANDARD, outcome: "failure", status: 404 });
    expect(answer(classify, { statusCode: 501 })).toEqual({ ...STANDARD, outcome: "overload", status: 501 });
    expect(answer(classify, new Response(null, { status: 599 }))).toMatchObject({ outcome: "success", status: 599 });
  });

  it.each([undefined, null, 404, "404", {}, { status: "404" }, { status: 200 }, { statusCode: Number.NaN }, [404]])(
    "says nothing of %j",
    (value) => {
      expect(answer(classify, value)).toBeUndefined();
    },
  );

  it("says nothing of an error, whatever that has for a status", () => {
    expect(failure(classify, Object.assign(new Error("x"), { status: 404 }))).toBeUndefined();
  });

  it("is the more precise one, in whatever order they are written", () => {
    const rules = { "4xx": "ignored", "400-499": "overload", "400-410": "failure", "404": "success" } as const;
    const entries = Object.entries(rules) as [string, Outcome][];
    fc.assert(
      fc.property(fc.shuffledSubarray(entries, { minLength: 4 }), (shuffled) => {
        expect(outcomes(shuffled)).toEqual(["failure", "success", "overload"]);
      }),
    );
    expect(
      outcomes([
        ["400-499", "failure"],
        ["4xx", "ignored"],
        ["400-599", "ignored"],
      ]),
    ).toEqual(Array.from({ length: 3 }, () => "failure"));
  });

  it("is found for every status it covers, and for no other", () => {
    const outcome = fc.constantFrom(...OUTCOMES);
    const status = fc.integer({ min: 100, max: 599 });
    fc.assert(
      fc.property(status, status, status, outcome, (a, b, asked, expected) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        const report = answer(outcomeRules({ statuses: { [`${from}-${to}`]: expected } }), { status: asked });
        expect((report as Report | undefined)?.outcome).toBe(asked >= from && asked <= to ? expected : undefined);
      }),
    );
  });
});

describe("a rule for errors", () => {
  const classify = outcomeRules({ errors: { ECONNRESET: "ignored", ECONNREFUSED: "failure", RangeError: "success" } });

  it("goes by the code that is found in the causes, else by the name", () => {
    expect(failure(classify, new TypeError("fetch failed", { cause: coded("ECONNRESET") }))).toMatchObject({
      outcome: "ignored",
    });
    expect(failure(classify, new RangeError("x"))).toMatchObject({ outcome: "success" });
    for (const other of [coded("EPIPE"), undefined, "ECONNRESET"]) expect(failure(classify, other)).toBeUndefined();
  });

  it("overrules what is known of sending, and where it says nothing leaves it", () => {
    expect(failure(classify, coded("ECONNREFUSED"), false)).toEqual({ outcome: "failure", origin: "local" });
    expect(failure(classify, coded("EPIPE"), false)).toBeUndefined();
  });

  it("is not found in what every object inherits", () => {
    expect(failure(outcomeRules({}), coded("constructor"))).toBeUndefined();
  });
});

const problems = (rules: unknown): string[] => {
  try {
    outcomeRules(rules as OutcomeRules);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(FairleadError);
    return (error as FairleadError).problems.map(
      ({ path, got, didYouMean }) => `${path}: ${got}${didYouMean === undefined ? "" : ` (${didYouMean}?)`}`,
    );
  }
};

describe("rules that are wrong", () => {
  it("are all named at once, with what was probably meant", () => {
    const rules = {
      status: {},
      statuses: { "404": "fail", "40x": "failure", "503-500": "failure", "5xx": "Failure" },
      errors: { ECONNRESET: "ignore", EPIPE: 3 },
    };
    expect(problems(rules)).toEqual([
      "status: an object (statuses?)",
      'statuses.404: "fail"',
      'statuses.5xx: "Failure" (failure?)',
      'statuses.40x: "40x"',
      'statuses.503-500: "503-500"',
      'errors.ECONNRESET: "ignore" (ignored?)',
      "errors.EPIPE: 3",
    ]);
  });

  it.each([undefined, null, "404", [], { statuses: [] }, { statuses: "5xx" }, { errors: null }])(
    "are refused: %j",
    (rules) => {
      expect(problems(rules)).toHaveLength(1);
    },
  );
});
