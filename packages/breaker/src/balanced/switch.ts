import type { BreakerContext, BreakerState, Report } from "@fairlead/core";
import type { Circuit } from "../circuit/contract.ts";
import { DrivenCircuit } from "../circuit/driven-circuit.ts";
import type { Change, SavedState, Verdict } from "../machine/state.ts";
import { StateMachine, UNCOUNTED } from "../machine/state-machine.ts";
import type { BreakerSettings } from "../settings.ts";
import type { BreakerIdentity, BreakerSnapshot } from "./snapshot.ts";

const EVENTS = { open: "breakerOpened", "half-open": "breakerHalfOpened", closed: "breakerClosed" } as const;

/** What a switch needs of where it is. */
export interface SwitchOptions {
  readonly identity: BreakerIdentity;
  readonly context: BreakerContext;
  readonly settings: BreakerSettings;
  readonly saved: SavedState | undefined;
  readonly firstGeneration: number;
  /** `passes` is not what it was, for every backend that it is the breaker of. */
  readonly gateChanged: () => void;
}

/** One breaker on the balanced path: a state machine, and an opossum circuit once somebody has asked for it. */
export class Switch {
  readonly identity: BreakerIdentity;
  readonly machine: StateMachine;
  readonly #context: BreakerContext;
  readonly #gateChanged: () => void;
  #settings: BreakerSettings;
  #circuit: DrivenCircuit | undefined;

  constructor({ identity, context, settings, saved, firstGeneration, gateChanged }: SwitchOptions) {
    this.identity = identity;
    this.#context = context;
    this.#settings = settings;
    this.#gateChanged = gateChanged;
    const { clock, random } = context;
    const changed = (change: Change): void => this.#changed(change);
    this.machine = new StateMachine(settings, { clock, random, changed, gateChanged }, firstGeneration);
    if (saved !== undefined) this.machine.restore(saved);
  }

  get state(): BreakerState {
    return this.stateFor(this.#context.clock.now());
  }

  stateFor(nowMs: number): BreakerState {
    return this.machine.stateAt(nowMs);
  }

  get passes(): boolean {
    return this.machine.passes;
  }

  admits(nowMs: number): boolean {
    return this.machine.admits(nowMs);
  }

  enter(nowMs: number): number {
    const ticket = this.machine.enter(nowMs);
    if (this.#circuit !== undefined && ticket !== UNCOUNTED) this.#circuit.tell("fires", "fire", []);
    return ticket;
  }

  report(ticket: number, report: Report, nowMs: number, latencyMs: number): void {
    if (ticket < this.machine.firstGeneration) return;
    const verdict = verdictOf(report);
    // Told first, as opossum does: a success, then the closing that it brings about.
    if (this.#circuit !== undefined) tellEnding(this.#circuit, verdict, report, latencyMs);
    this.machine.report(ticket, verdict, latencyMs, nowMs);
  }

  get circuit(): Circuit {
    if (this.#circuit === undefined || this.#circuit.isShutdown) this.#circuit = this.#makeCircuit();
    return this.#circuit;
  }

  set settings(settings: BreakerSettings) {
    this.#settings = settings;
    this.machine.settings = settings;
  }

  /** By hand: waiting calls are looked at again. */
  act(change: (machine: StateMachine) => void): void {
    change(this.machine);
    this.#context.changed();
  }

  snapshotAt(nowMs: number): BreakerSnapshot {
    const { finished, failed, slow } = this.machine.countsAt(nowMs);
    const { inFlight } = this.machine;
    return { ...this.identity, ...this.machine.saveAt(nowMs), finished, failed, slow, inFlight };
  }

  end(): void {
    this.#circuit?.shutdown();
  }

  #changed(change: Change): void {
    const { clock } = this.#context;
    const { to, reason, untilMs } = change;
    const timed = untilMs !== undefined && untilMs !== Number.POSITIVE_INFINITY;
    const untilAt = timed ? Math.round(clock.wallNow() + untilMs - clock.now()) : null;
    const { backend, key } = this.identity;
    this.#gateChanged();
    this.#circuit?.follow(change);
    this.#context.announce(EVENTS[to], { reason, untilAt, backend, key });
  }

  #makeCircuit(): DrivenCircuit {
    const { clock, random } = this.#context;
    const { upstream, backend, key } = this.identity;
    const place = backend === null ? upstream : `${upstream}/${backend}`;
    return new DrivenCircuit(refuse, this.machine, {
      settings: this.#settings,
      name: key === null ? place : `${place}#${key}`,
      group: upstream,
      percentiles: false,
      clock,
      random,
      failed: (where, error) => this.#context.callbackFailed(where, error),
      relaxed: () => this.#context.changed(),
    });
  }
}

function refuse(): never {
  throw new TypeError("The calls of this circuit are those of its balancer");
}

/** `success` includes a 404: the backend did its work. */
function verdictOf({ outcome }: Report): Verdict {
  if (outcome === "success") return "worked";
  return outcome === "failure" || outcome === "unreached" ? "failed" : "none";
}

function tellEnding(circuit: DrivenCircuit, verdict: Verdict, report: Report, latencyMs: number): void {
  if (verdict === "worked") circuit.tellEnd("success", report, latencyMs);
  else if (verdict === "failed") {
    if (report.errorCode === "FAIRLEAD_ERR_TIMEOUT") circuit.tell("timeouts", "timeout", report, latencyMs, []);
    circuit.tellEnd("failure", report, latencyMs, []);
  } else if (circuit.listenerCount("ignored") > 0) circuit.emit("ignored", report, latencyMs);
}
