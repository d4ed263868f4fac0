import type { RequestKind } from "../backend.ts";
import type { Report } from "../call/outcome.ts";
import type { Clock } from "../clock.ts";
import type { EjectionChange } from "../health/ejection.ts";
import type { EjectionSettings } from "../health/ejection-settings.ts";
import type { Finding, OutlierWatch } from "../health/outliers/detection.ts";
import type { Random } from "../random.ts";
import type { SharedSettings } from "../settings.ts";
import type { Announcer } from "../telemetry/events.ts";
import type { Views } from "../view/views.ts";
import { announceFinding, reasonOf } from "./announcements.ts";
import type { Member } from "./member.ts";

interface VerdictContext {
  readonly upstream: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly announcer: Announcer;
  /** A backend may admit what it did not before. */
  readonly changed: () => void;
  readonly callbackFailed: (where: string, error: unknown) => void;
}

/** What verdicts do to a backend's place in play: ejection, return, pause. */
export class Verdicts {
  readonly #context: VerdictContext;
  readonly #views: Views;
  readonly #members: () => readonly Member[];
  /** Only with `outlierDetection`. */
  #watch: OutlierWatch | undefined;

  constructor(context: VerdictContext, views: Views, members: () => readonly Member[]) {
    this.#context = context;
    this.#views = views;
    this.#members = members;
  }

  configure({ ejection }: SharedSettings): void {
    const { clock, random, callbackFailed } = this.#context;
    const context = { nowMs: clock.now(), random, members: this.#members, callbackFailed };
    // A watch goes on: it reads the settings that apply.
    this.#watch = ejection?.detection && (this.#watch ?? ejection.detection.createWatch(context));
  }

  /**
   * `generation` is the ejection's when the attempt was admitted.
   *
   * @param latencyMs negative if it says nothing of the backend
   */
  take(
    member: Member,
    kind: RequestKind,
    generation: number,
    report: Report,
    latencyMs: number,
    lagMs: number,
    nowMs: number,
    settings: SharedSettings,
  ): void {
    const { ejection, pauseLimitMs } = settings;
    if (ejection !== undefined) {
      const counted =
        this.#watch === undefined ||
        this.#watched(this.#watch, member, kind, generation, report, latencyMs - lagMs, nowMs, ejection);
      const change = member.ejection.report(generation, report.outcome, nowMs, ejection, latencyMs, counted);
      if (change !== undefined) this.#ejectionChanged(member, change, report, nowMs, ejection);
      this.#views.look(member.ejection.changesAtMs);
    }
    if (report.outcome === "ignored") return;
    if (report.retryAfterMs !== undefined && report.retryAfterMs > 0) {
      this.#pause(member, Math.min(report.retryAfterMs, pauseLimitMs), nowMs);
    } else if (member.pausedUntilMs > 0 && nowMs >= member.pausedUntilMs) member.endPause();
  }

  /** Whether a failure is one of those in a row that `consecutiveFailures` counts. */
  #watched(
    watch: OutlierWatch,
    member: Member,
    kind: RequestKind,
    generation: number,
    report: Report,
    latencyMs: number,
    nowMs: number,
    settings: EjectionSettings,
  ): boolean {
    const found = watch.take(member, kind, generation, report, latencyMs, nowMs, settings);
    // Unless a detector has just turned detection off.
    if (found !== undefined && this.#watch === watch) this.#act(found, nowMs, settings);
    return report.outcome === "success" || watch.counts(report, settings);
  }

  #ejectionChanged(
    member: Member,
    change: NonNullable<EjectionChange>,
    report: Report,
    nowMs: number,
    settings: EjectionSettings,
  ): void {
    if (change.kind === "returned") {
      this.#returned(member, nowMs);
      return;
    }
    const own = [{ member, kind: change.kind, reason: reasonOf(change.failures, report) }];
    this.#act(this.#watch?.sift(own, settings) ?? own, nowMs, settings);
  }

  /** A check that began under `generation` has passed: an ejected backend is back, as after a test attempt that worked. */
  checkPassed(member: Member, generation: number, nowMs: number): void {
    if (generation === member.ejection.generation && member.ejection.pass(nowMs)) this.#returned(member, nowMs);
  }

  #returned(member: Member, nowMs: number): void {
    const { announcer, upstream } = this.#context;
    member.refreshGate();
    announcer.emit("backendReturned", () => ({ upstream, backend: member.id }));
    this.welcomeBack(member, nowMs, true);
  }

  /**
   * What it did before says nothing about it now; slow start is the caution that is left. One that is not `known` yet, and
   * did not join others, has nobody who could take its calls meanwhile.
   */
  welcomeBack(member: Member, nowMs: number, known: boolean): void {
    member.tally?.fill(0);
    member.loads.forget(member.row);
    if (known || member.warmsUpFromMs !== undefined) member.warmsUpFromMs = nowMs;
    this.#views.invalidate();
    this.#context.changed();
  }

  /** Ejects whom it has to; announced when all are as they should be, since listeners do what they want. */
  #act(findings: readonly Finding[], nowMs: number, settings: EjectionSettings): void {
    const times = findings.map(({ member, kind, reason, because }) => {
      member.counters.countEjection(kind, because ?? "ejected");
      let leftMs = 0;
      if (because === undefined) leftMs = member.ejection.eject(nowMs, settings, reason) - nowMs;
      // Who is spared must not stay on probation.
      else member.ejection.pass(nowMs);
      member.refreshGate();
      return leftMs;
    });
    this.#views.invalidateSoon(nowMs);
    for (const [index, finding] of findings.entries()) announceFinding(this.#context, finding, times[index] ?? 0);
  }

  #pause(member: Member, pauseMs: number, nowMs: number): void {
    const { announcer, upstream, clock } = this.#context;
    member.pausedUntilMs = Math.max(member.pausedUntilMs, nowMs + pauseMs);
    member.refreshGate();
    announcer.emit("backendPaused", () => ({
      upstream,
      backend: member.id,
      untilAt: Math.round(clock.wallNow() + pauseMs),
    }));
  }
}
