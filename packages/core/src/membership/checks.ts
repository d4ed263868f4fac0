import type { HealthCheck, HealthCheckContext, HealthCheckRun, HealthReport } from "../health/check/health-check.ts";
import { type Health, UNCHECKED, UP } from "../health/health.ts";
import type { SharedSettings } from "../settings.ts";
import type { Views } from "../view/views.ts";
import type { Member } from "./member.ts";
import type { MembersContext } from "./members.ts";
import type { Verdicts } from "./verdicts.ts";

/** Tells the health check of backends that come and go, and takes in what it finds. */
export class Checks {
  readonly #context: MembersContext;
  readonly #views: Views;
  readonly #verdicts: Verdicts;
  readonly #settings: () => SharedSettings;
  #check: HealthCheck | undefined;
  #run: HealthCheckRun | undefined;

  constructor(context: MembersContext, views: Views, verdicts: Verdicts, settings: () => SharedSettings) {
    this.#context = context;
    this.#views = views;
    this.#verdicts = verdicts;
    this.#settings = settings;
  }

  /** Name of the check that runs. */
  get running(): string | undefined {
    return this.#run === undefined ? undefined : this.#check?.name;
  }

  /** Checks in this way from now on. What is known of the backends stays; without a check nothing counts as known. */
  use(check: HealthCheck | undefined, members: readonly Member[]): void {
    if (check === this.#check) return;
    this.close();
    this.#check = check;
    if (check !== undefined) this.#run = this.#ask(() => check.start(this.#contextFor(check)));
    for (const member of members) {
      if (this.#run === undefined) this.#become(member, UNCHECKED, this.#context.clock.now());
      else {
        // It takes calls already.
        if (member.health === UNCHECKED) member.health = UP;
        this.#ask(() => this.#run?.add(member));
      }
    }
  }

  add(member: Member): void {
    member.health = UNCHECKED;
    member.lastCheck = undefined;
    this.#ask(() => this.#run?.add(member));
  }

  remove(member: Member): void {
    this.#ask(() => this.#run?.remove(member));
  }

  close(): void {
    const run = this.#run;
    this.#run = undefined;
    this.#ask(() => run?.close());
  }

  #contextFor(check: HealthCheck): HealthCheckContext {
    const { upstream, clock, random, callbackFailed } = this.#context;
    const settings = this.#settings;
    return {
      upstream,
      clock,
      random,
      get graceMs() {
        return settings().membership.graceMs;
      },
      report: (target, report) => {
        // Not from one that has been ended or replaced.
        if (check === this.#check && this.#run !== undefined) this.#report(target as Member, report);
      },
      callbackFailed,
    };
  }

  #report(member: Member, { health, check }: HealthReport): void {
    if (member.gone) return;
    const nowMs = this.#context.clock.now();
    if (check?.passed === true) member.counters.checksPassed++;
    else if (check !== undefined) member.counters.checksFailed++;
    if (check !== undefined) member.lastCheck = check;
    this.#become(member, health, nowMs);
    if (check?.passed === true && check.unejects && health.kind === "up" && member.ejection.suspect)
      this.#verdicts.checkPassed(member, check.epoch, nowMs);
  }

  #become(member: Member, health: Health, nowMs: number): void {
    const { kind: before } = member.health;
    member.health = health;
    if (health.kind === before) return;
    member.worksThoughDown = false;
    member.refreshGate();
    if (member.isDown || member.isPending) this.#views.invalidateSoon(nowMs);
    else if (before === "down" || before === "pending") this.#verdicts.welcomeBack(member, nowMs, before === "down");
    if (before === "down" || before === "pending" || (before === "up" && member.isDown)) this.#announce(member);
  }

  #announce({ id, isDown, health }: Member): void {
    const { announcer, upstream } = this.#context;
    const { reason } = health;
    announcer.emit("backendHealthChanged", () => ({ upstream, backend: id, health: isDown ? "down" : "up", reason }));
  }

  /** A check of the user's own that throws is no reason to stop. */
  #ask<T>(ask: () => T): T | undefined {
    try {
      return ask();
    } catch (error) {
      this.#context.callbackFailed("health check", error);
      return undefined;
    }
  }
}
