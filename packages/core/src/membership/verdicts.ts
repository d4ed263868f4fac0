import type { Report } from "../call/outcome.ts";
import type { Clock } from "../clock.ts";
import type { EjectionChange } from "../health/ejection.ts";
import type { SharedSettings } from "../settings.ts";
import type { Announcer } from "../telemetry/events.ts";
import type { Views } from "../view/views.ts";
import { announceEjected } from "./announcements.ts";
import type { Member } from "./member.ts";

interface VerdictContext {
  readonly upstream: string;
  readonly clock: Clock;
  readonly announcer: Announcer;
  /** A backend may admit what it did not before. */
  readonly changed: () => void;
}

/** What verdicts do to a backend's place in play: ejection, return, pause. */
export class Verdicts {
  readonly #context: VerdictContext;
  readonly #views: Views;

  constructor(context: VerdictContext, views: Views) {
    this.#context = context;
    this.#views = views;
  }

  /** `generation` is the ejection's when the attempt was admitted, at `startedAtMs`. */
  take(
    member: Member,
    generation: number,
    report: Report,
    startedAtMs: number,
    nowMs: number,
    settings: SharedSettings,
  ): void {
    const { ejection, pauseLimitMs } = settings;
    if (ejection !== undefined) {
      const change = member.ejection.report(generation, report.outcome, nowMs, ejection, startedAtMs);
      if (change !== undefined) this.#ejectionChanged(member, change, report, nowMs);
      else this.#views.look(member.ejection.changesAtMs);
    }
    if (report.outcome === "ignored") return;
    if (report.retryAfterMs !== undefined && report.retryAfterMs > 0) {
      this.#pause(member, Math.min(report.retryAfterMs, pauseLimitMs), nowMs);
    } else if (member.pausedUntilMs > 0 && nowMs >= member.pausedUntilMs) member.endPause();
  }

  #ejectionChanged(member: Member, change: NonNullable<EjectionChange>, report: Report, nowMs: number): void {
    const { announcer, upstream } = this.#context;
    member.refreshGate();
    if (change.kind === "returned") {
      announcer.emit("backendReturned", () => ({ upstream, backend: member.id }));
      this.welcomeBack(member, nowMs, true);
      return;
    }
    member.counters.ejections++;
    this.#views.invalidateSoon(nowMs);
    announceEjected(this.#context, member.id, report, change.untilMs - nowMs);
  }

  /**
   * What it did before says nothing about it now; slow start is the caution that is left. One that is not `known` yet, and
   * did not join others, has nobody who could take its calls meanwhile.
   */
  welcomeBack(member: Member, nowMs: number, known: boolean): void {
    member.loads.forget(member.row);
    if (known || member.warmsUpFromMs !== undefined) member.warmsUpFromMs = nowMs;
    this.#views.invalidate();
    this.#context.changed();
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
