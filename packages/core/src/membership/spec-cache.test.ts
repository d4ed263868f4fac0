import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionCheck } from "../options.ts";
import { resolveSpecs } from "./spec.ts";
import { SpecCache } from "./spec-cache.ts";

/** Few names, so that doubles, moves and changes are frequent. */
const spec = fc.oneof(
  fc.constantFrom("http://a.test", "http://b.test", "http://c.test", "no url", 7, null),
  fc.record(
    {
      url: fc.constantFrom("http://a.test", "http://b.test", "http://c.test/", "ftp://d.test"),
      id: fc.constantFrom("a.test:80", "b", "c", "d", "e", "f"),
      weight: fc.constantFrom(1, 2, 0, undefined),
      priority: fc.constantFrom(0, 1),
      zone: fc.constantFrom("x", "y", undefined),
      labels: fc.constantFrom({}, { version: "1" }, { version: "2" }, { version: 1 }, undefined),
      tls: fc.constantFrom({ serverName: "a" }, { ca: ["x"] }, { ca: ["y"] }, undefined),
      wieght: fc.constant(1),
    },
    { requiredKeys: ["url"] },
  ),
);

const withoutCache = (values: readonly unknown[]): { specs: unknown; problems: unknown } => {
  const check = new OptionCheck();
  return { specs: resolveSpecs(check, "backends", values), problems: check.problems };
};

const setOf = (ids: readonly number[]): unknown[] =>
  ids.map((id) => ({ url: `http://${id}.test`, labels: { id: `${id}` } }));

describe("a cache of specifications", () => {
  it("changes no result and no problem, whatever the sets that follow each other", () => {
    fc.assert(
      fc.property(fc.array(fc.array(spec, { maxLength: 12 }), { minLength: 2, maxLength: 8 }), (sets) => {
        const cache = new SpecCache();
        // Every other set is the one before, as fresh objects.
        for (const values of sets.flatMap((set) => [set, structuredClone(set)])) {
          const check = new OptionCheck();
          const specs = resolveSpecs(check, "backends", values, cache);
          expect({ specs, problems: check.problems }).toEqual(withoutCache(values));
        }
      }),
      { numRuns: 2_000, seed: 1 },
    );
  });

  it("finds what stayed when others come, go and move among many", () => {
    const ids = Array.from({ length: 500 }, (_, index) => index);
    const cache = new SpecCache();
    const before = new Set(resolveSpecs(new OptionCheck(), "", setOf(ids), cache));
    const changed = [...ids.slice(0, 100), 900, 901, ...ids.slice(103, 300), ...ids.slice(400), ...ids.slice(300, 400)];
    const after = resolveSpecs(new OptionCheck(), "", setOf(changed), cache);
    const again = after.filter((entry) => !before.has(entry)).length;
    // Two are new; a move is noticed after some that are taken for new.
    expect(again).toBeLessThanOrEqual(2 + 2 * 8);
    expect(after.map(({ id }) => id)).toEqual(changed.map((id) => `${id}.test:80`));
  });

  it("gives the very same list for the very same set", () => {
    const cache = new SpecCache();
    const first = resolveSpecs(new OptionCheck(), "", ["http://a.test", { url: "http://b.test" }], cache);
    expect(resolveSpecs(new OptionCheck(), "", ["http://a.test", { url: "http://b.test" }], cache)).toBe(first);
  });
});
