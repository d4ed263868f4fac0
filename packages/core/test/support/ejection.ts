import type { Outcome } from "../../src/call/outcome.ts";
import { Ejection } from "../../src/health/ejection.ts";
import { DEFAULT_EJECTION, type EjectionSettings } from "../../src/health/ejection-settings.ts";
import type { Random } from "../../src/random.ts";
import { scripted } from "../fakes.ts";

const FAILURES = 3;
export const SETTINGS: EjectionSettings = { ...DEFAULT_EJECTION, consecutiveFailures: FAILURES, jitter: 0 };

/** Reports an attempt, and ejects where it gives cause. */
export function report(
  ejection: Ejection,
  generation: number,
  outcome: Outcome,
  nowMs: number,
  settings: EjectionSettings,
): { readonly kind: string; readonly untilMs?: number } | undefined {
  const change = ejection.report(generation, outcome, nowMs, settings);
  if (change === undefined || change.kind === "returned") return change;
  return { kind: "ejected", untilMs: ejection.eject(nowMs, settings, change.kind) };
}

/** One backend's ejection, driven through attempts that are reported at once. */
export class Subject {
  readonly ejection: Ejection;
  readonly settings: EjectionSettings;

  constructor(settings: Partial<EjectionSettings> = {}, random: Random = scripted(0.5)) {
    this.ejection = new Ejection(random);
    this.settings = { ...SETTINGS, ...settings };
  }

  report(outcome: Outcome, nowMs: number): ReturnType<typeof report> {
    return report(this.ejection, this.ejection.generation, outcome, nowMs, this.settings);
  }

  /** Fails until ejected; returns for how long. */
  eject(nowMs: number): number {
    for (let count = 0; count < FAILURES; count++) this.report("failure", nowMs);
    return (this.ejection.untilMs ?? Number.NaN) - nowMs;
  }

  /** Waits for the end of the ejection and fails the probe; returns for how long it is out again. */
  failProbe(): number {
    const nowMs = this.ejection.untilMs ?? Number.NaN;
    this.ejection.expire(nowMs, true);
    this.report("failure", nowMs);
    return (this.ejection.untilMs ?? Number.NaN) - nowMs;
  }

  /** Waits for the end of the ejection and lets the probe succeed; returns when. */
  comeBack(): number {
    const nowMs = this.ejection.untilMs ?? Number.NaN;
    this.ejection.expire(nowMs, true);
    this.report("success", nowMs);
    return nowMs;
  }
}

export const onProbation = (): Subject => {
  const subject = new Subject();
  subject.eject(0);
  subject.ejection.expire(5_000, true);
  return subject;
};
