import { describe, expect, it } from "vitest";
import { scripted } from "../../test/fakes.ts";
import { onProbation, report, SETTINGS, Subject } from "../../test/support/ejection.ts";
import { Ejection } from "./ejection.ts";

describe("a backend that is in", () => {
  it("is ejected by so many failures in a row, not by one less", () => {
    const ejection = new Ejection(scripted(0.5));
    const fail = (nowMs: number) => report(ejection, ejection.generation, "failure", nowMs, SETTINGS);
    expect([fail(0), fail(1)]).toEqual([undefined, undefined]);
    expect(ejection.failures).toBe(2);
    expect(fail(2)).toEqual({ kind: "ejected", untilMs: 5_002 });
    expect([ejection.ejected, ejection.suspect, ejection.probation]).toEqual([true, true, false]);
  });

  it("starts over after a success", () => {
    const subject = new Subject();
    for (const outcome of ["failure", "failure", "success", "failure", "failure"] as const) subject.report(outcome, 0);
    expect(subject.ejection.suspect).toBe(false);
    expect(subject.ejection.failures).toBe(2);
  });

  it("counts what was never sent like a failure; overload and the caller's doing neither count nor start over", () => {
    const subject = new Subject();
    for (const outcome of ["unreached", "overload", "ignored", "failure", "overload"] as const)
      expect(subject.report(outcome, 0)).toBeUndefined();
    expect(subject.report("unreached", 0)?.kind).toBe("ejected");
  });

  it("forgets its failures when reset", () => {
    const subject = new Subject();
    subject.report("failure", 0);
    subject.ejection.reset();
    expect(subject.ejection.failures).toBe(0);
  });
});

describe("an ejected backend", () => {
  it("stays out until its time has passed", () => {
    const subject = new Subject();
    subject.eject(0);
    expect(subject.ejection.expire(4_999, true)).toBe(false);
    expect(subject.ejection.ejected).toBe(true);
    expect(subject.ejection.expire(5_000, true)).toBe(true);
    expect([subject.ejection.ejected, subject.ejection.probation]).toEqual([false, true]);
    expect(subject.ejection.untilMs).toBeUndefined();
  });

  it("is not ejected further by attempts made in panic", () => {
    const subject = new Subject();
    subject.eject(0);
    expect(subject.report("failure", 1_000)).toBeUndefined();
    expect(subject.ejection.untilMs).toBe(5_000);
  });

  it("is back at once if an attempt made in panic works", () => {
    const subject = new Subject();
    subject.eject(0);
    expect(subject.report("success", 1_000)).toEqual({ kind: "returned" });
    expect(subject.ejection.suspect).toBe(false);
  });

  it("does not hear of attempts that began before", () => {
    const subject = new Subject();
    const { generation } = subject.ejection;
    subject.eject(0);
    expect(subject.ejection.report(generation, "success", 1_000, subject.settings)).toBeUndefined();
    expect(subject.ejection.ejected).toBe(true);
  });
});

describe("a backend on probation", () => {
  it("takes one attempt at a time", () => {
    const { ejection } = onProbation();
    expect(ejection.hasFreeProbe(5_000)).toBe(true);
    ejection.enterProbe(5_000);
    expect(ejection.hasFreeProbe(5_001)).toBe(false);
    ejection.leaveProbe(ejection.generation);
    expect(ejection.hasFreeProbe(5_002)).toBe(true);
  });

  it("is back after one success", () => {
    const subject = onProbation();
    expect(subject.report("success", 6_000)).toEqual({ kind: "returned" });
    expect([subject.ejection.suspect, subject.ejection.failures]).toEqual([false, 0]);
  });

  it("is out again after one failure, however many it may have when in", () => {
    const subject = onProbation();
    expect(subject.report("failure", 6_000)).toEqual({ kind: "ejected", untilMs: 16_000 });
  });

  it.each(["overload", "ignored"] as const)("stays on probation after %s", (outcome) => {
    const subject = onProbation();
    expect(subject.report(outcome, 6_000)).toBeUndefined();
    expect(subject.ejection.probation).toBe(true);
  });

  it("admits another attempt when one is not reported for 30 s", () => {
    const { ejection } = onProbation();
    ejection.enterProbe(5_000);
    expect(ejection.hasFreeProbe(34_999)).toBe(false);
    expect(ejection.hasFreeProbe(35_000)).toBe(true);
    ejection.enterProbe(35_000);
    expect(ejection.hasFreeProbe(64_999)).toBe(false);
    expect(ejection.hasFreeProbe(65_000)).toBe(true);
  });

  it("does not hear of an attempt that began before the ejection", () => {
    const subject = new Subject();
    const { generation } = subject.ejection;
    subject.eject(0);
    subject.ejection.expire(5_000, true);
    for (const outcome of ["success", "failure"] as const)
      expect(subject.ejection.report(generation, outcome, 6_000, subject.settings)).toBeUndefined();
    expect(subject.ejection.probation).toBe(true);
  });

  it("is not given its place back by an attempt of another state", () => {
    const subject = onProbation();
    const { ejection } = subject;
    const before = ejection.generation;
    ejection.enterProbe(5_000);
    subject.report("failure", 5_000);
    ejection.expire(15_000, true);
    ejection.enterProbe(15_000);
    ejection.leaveProbe(before);
    expect(ejection.hasFreeProbe(15_001)).toBe(false);
  });

  it("begins with its place free, though the last state's attempt never came back", () => {
    const subject = onProbation();
    subject.ejection.enterProbe(5_000);
    subject.report("failure", 5_000);
    subject.ejection.expire(15_000, true);
    expect(subject.ejection.hasFreeProbe(15_000)).toBe(true);
  });

  it("is in, with a clean history, when reset", () => {
    const subject = onProbation();
    const { generation } = subject.ejection;
    subject.ejection.reset();
    expect(subject.ejection.suspect).toBe(false);
    expect(subject.ejection.generation).not.toBe(generation);
    expect(subject.eject(6_000)).toBe(5_000);
  });
});

describe("a backend that is passed", () => {
  it("is back from its ejection, and hears nothing of attempts from before", () => {
    const subject = new Subject();
    subject.eject(0);
    const { generation } = subject.ejection;
    expect(subject.ejection.pass(1_000)).toBe(true);
    expect([subject.ejection.suspect, subject.ejection.reason]).toEqual([false, undefined]);
    expect(subject.ejection.report(generation, "failure", 1_001, SETTINGS)).toBeUndefined();
  });

  it("is back from probation too, and keeps what its next ejection has coming", () => {
    const subject = onProbation();
    expect(subject.ejection.pass(5_000)).toBe(true);
    expect(subject.eject(5_001)).toBe(10_000);
  });

  it("and is in already, keeps its failures", () => {
    const subject = new Subject();
    subject.report("failure", 0);
    expect(subject.ejection.pass(1)).toBe(false);
    expect(subject.ejection.failures).toBe(1);
  });
});

describe("the reason", () => {
  it("is kept until it is back", () => {
    const subject = onProbation();
    expect(subject.ejection.reason).toBe("consecutiveFailures");
    subject.report("failure", 5_000);
    expect(subject.ejection.reason).toBe("failedTest");
    subject.comeBack();
    expect(subject.ejection.reason).toBeUndefined();
  });
});

/** One failure, at 1 s. */
function failing(): Ejection {
  const ejection = new Ejection(scripted(0.5));
  ejection.report(0, "failure", 1_000, { ...SETTINGS, consecutiveFailures: 5 });
  return ejection;
}

describe("a backend with failures too few for an ejection", () => {
  it("is tested when nobody has called it for the time of an ejection", () => {
    const ejection = failing();
    expect(ejection.changesAtMs).toBe(6_000);
    expect(ejection.expire(5_999, true)).toBe(false);
    expect(ejection.suspect).toBe(false);
    expect(ejection.expire(6_000, true)).toBe(true);
    expect(ejection.probation).toBe(true);
  });

  it("is looked at again later while it has calls under way", () => {
    const ejection = failing();
    expect(ejection.expire(6_000, false)).toBe(false);
    expect(ejection.changesAtMs).toBe(7_000);
  });

  it("is tested all the same if only what began before the failure has worked since", () => {
    const ejection = failing();
    ejection.report(0, "success", 2_000, SETTINGS, 1_001);
    expect(ejection.failures).toBe(0);
    expect(ejection.changesAtMs).toBe(6_000);
    ejection.report(0, "success", 2_000, SETTINGS, 1_000);
    expect(ejection.changesAtMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("is not tested once it has worked", () => {
    const ejection = failing();
    ejection.report(0, "success", 2_000, SETTINGS);
    expect(ejection.changesAtMs).toBe(Number.POSITIVE_INFINITY);
    expect(ejection.expire(1e9, true)).toBe(false);
  });

  it("has failed in a row if it fails its test", () => {
    const ejection = failing();
    ejection.expire(6_000, true);
    expect(ejection.reason).toBeUndefined();
    expect(ejection.report(0, "failure", 6_000, SETTINGS)).toEqual({ kind: "consecutiveFailures", failures: 0 });
  });

  it("is not tested where failures in a row don't count", () => {
    const ejection = new Ejection(scripted(0.5));
    for (let count = 0; count < 50; count++)
      expect(ejection.report(0, "failure", count, { ...SETTINGS, consecutiveFailures: false })).toBeUndefined();
    expect(ejection.expire(1e9, true)).toBe(false);
  });
});
