import fc from "fast-check";
import { expect, test } from "vitest";
import type { Verdict } from "../src/machine/state.ts";
import { type MachineWorld, machineWorld } from "./support.ts";

interface Rules {
  readonly windowCalls: number;
  readonly volumeThreshold: number;
  readonly errorThresholdPercentage: number;
  readonly count: number;
  readonly successPercentage: number;
}

const RESET_MS = 100;
const PROBE_MS = 40;

type Step =
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "call" }
  | { readonly do: "report"; readonly which: number; readonly verdict: Verdict }
  | { readonly do: "open" | "close" | "isolate" };

interface Call {
  readonly number: number;
  readonly ticket: number;
  /** The era of the model in which it began. */
  readonly era: number;
}

/** What a breaker should be, in the plainest terms: lists of everything, looked through each time. */
class Model {
  readonly #rules: Rules;
  era = 0;
  state: "closed" | "open" | "half-open" = "closed";
  untilMs = 0;
  #calls: boolean[] = [];
  probes: { readonly call: number; readonly startMs: number; verdict: Verdict | undefined }[] = [];

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  get needed(): number {
    return Math.ceil((this.#rules.count * this.#rules.successPercentage) / 100);
  }

  become(state: Model["state"], untilMs = 0): void {
    this.state = state;
    this.untilMs = untilMs;
    this.era++;
    this.#calls = [];
    this.probes = [];
  }

  wait(nowMs: number): void {
    const pending = this.probes.filter(({ verdict }) => verdict === undefined);
    // Counted from the last that began, whatever has become of it.
    const lostAtMs = Math.max(...this.probes.map(({ startMs }) => startMs)) + PROBE_MS;
    if (pending.length > 0 && nowMs >= lostAtMs) {
      for (const probe of pending) probe.verdict = "failed";
      if (this.#decide(lostAtMs) === "undecided") this.era++;
    }
    if (this.state === "open" && nowMs >= this.untilMs) this.become("half-open");
  }

  admits(): boolean {
    if (this.state !== "half-open") return this.state === "closed";
    return this.probes.filter(({ verdict }) => verdict !== "none").length < this.#rules.count;
  }

  enter(call: number, nowMs: number): void {
    if (this.state === "half-open") this.probes.push({ call, startMs: nowMs, verdict: undefined });
  }

  report(call: number, era: number, verdict: Verdict, nowMs: number): void {
    if (era !== this.era) return;
    if (this.state === "half-open") {
      const probe = this.probes.find((other) => other.call === call);
      if (probe !== undefined) probe.verdict = verdict;
      this.#decide(nowMs);
    } else if (verdict !== "none") {
      this.#calls.push(verdict === "failed");
      const window = this.#calls.slice(-this.#rules.windowCalls);
      const share = (window.filter(Boolean).length / window.length) * 100;
      const enough = window.length >= this.#rules.volumeThreshold;
      if (verdict === "failed" && enough && share > this.#rules.errorThresholdPercentage + 1e-9)
        this.become("open", nowMs + RESET_MS);
    }
  }

  #decide(nowMs: number): "undecided" | undefined {
    const count = (wanted: Verdict): number => this.probes.filter(({ verdict }) => verdict === wanted).length;
    if (count("worked") >= this.needed) this.become("closed");
    else if (count("failed") > this.#rules.count - this.needed) this.become("open", nowMs + RESET_MS);
    else return "undecided";
    return undefined;
  }
}

/** The machine and its model, side by side. */
class Comparison {
  readonly #world: MachineWorld;
  readonly #model: Model;
  readonly #calls: Call[] = [];
  #begun = 0;

  constructor({ count, successPercentage, ...rules }: Rules) {
    this.#model = new Model({ count, successPercentage, ...rules });
    const probes = { count, successPercentage, timeoutMs: PROBE_MS };
    this.#world = machineWorld({ ...rules, resetTimeout: RESET_MS, probes });
  }

  do(step: Step): void {
    const { clock, machine } = this.#world;
    if (step.do === "wait") clock.advanceSync(step.ms);
    const nowMs = clock.now();
    this.#model.wait(nowMs);
    this.#compare(nowMs);
    if (step.do === "call") this.#call(nowMs);
    else if (step.do === "report") this.#report(step.which, step.verdict, nowMs);
    else if (step.do === "open") {
      machine.open("by hand");
      if (this.#model.state !== "open") this.#model.become("open", nowMs + RESET_MS);
    } else if (step.do === "isolate") {
      machine.isolate("by hand");
      if (this.#model.untilMs !== Number.POSITIVE_INFINITY) this.#model.become("open", Number.POSITIVE_INFINITY);
    } else if (step.do === "close") {
      machine.close("by hand");
      if (this.#model.state !== "closed") this.#model.become("closed");
    }
    this.#compare(nowMs);
  }

  #compare(nowMs: number): void {
    const { machine } = this.#world;
    expect(machine.stateAt(nowMs)).toBe(this.#model.state);
    expect(machine.admits(nowMs)).toBe(this.#model.admits());
    // Never before its time.
    if (this.#model.state === "open") expect(machine.openUntilMs(nowMs)).toBe(this.#model.untilMs);
    expect(machine.inFlight).toBe(this.#calls.length);
  }

  #call(nowMs: number): void {
    if (!this.#model.admits()) return;
    const ticket = this.#world.machine.enter(nowMs);
    const number = this.#begun++;
    this.#model.enter(number, nowMs);
    this.#calls.push({ number, ticket, era: this.#model.era });
  }

  #report(which: number, verdict: Verdict, nowMs: number): void {
    const [call] = this.#calls.splice(which % Math.max(1, this.#calls.length), 1);
    if (call === undefined) return;
    const { machine } = this.#world;
    const before = { state: machine.stateAt(nowMs), ...machine.countsAt(nowMs) };
    machine.report(call.ticket, verdict, 0, nowMs);
    const late = call.era !== this.#model.era;
    this.#model.report(call.number, call.era, verdict, nowMs);
    if (late) expect({ state: machine.stateAt(nowMs), ...machine.countsAt(nowMs) }).toEqual(before);
  }
}

const rules = fc.record({
  windowCalls: fc.integer({ min: 1, max: 8 }),
  volumeThreshold: fc.constant(1),
  errorThresholdPercentage: fc.integer({ min: 0, max: 99 }),
  count: fc.integer({ min: 1, max: 5 }),
  successPercentage: fc.integer({ min: 1, max: 100 }),
});

const verdict = fc.constantFrom<Verdict>("worked", "failed", "failed", "none");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>({ do: "call" }) },
  {
    weight: 5,
    arbitrary: fc.tuple(fc.nat(), verdict).map<Step>(([which, given]) => ({ do: "report", which, verdict: given })),
  },
  { weight: 4, arbitrary: fc.constantFrom(1, 20, 39, 40, 41, 60, 99, 100).map<Step>((ms) => ({ do: "wait", ms })) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: "open" }, { do: "close" }, { do: "close" }, { do: "isolate" }) },
);

test("the state machine is what a plain model of it is, whatever happens, and in particular: never more probes than allowed, never open too short, no late report heard", () => {
  fc.assert(
    fc.property(rules, fc.array(step, { minLength: 60, maxLength: 120, size: "max" }), (given, steps) => {
      const comparison = new Comparison(given);
      for (const each of steps) comparison.do(each);
    }),
    { numRuns: 500 },
  );
});
