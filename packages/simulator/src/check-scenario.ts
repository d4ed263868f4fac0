import { OptionCheck } from "@fairlead/core";
import type { Mode } from "./result.ts";
import {
  anything,
  boolean,
  integer,
  listOf,
  must,
  number,
  oneKind,
  optional,
  type Rule,
  record,
  type Shape,
  text,
} from "./rules.ts";
import type { Scenario, Targets } from "./scenario.ts";

const time = number({ min: 0 });
const duration = number({ above: 0 });
const targetNames: Rule = (check, path, value) => (typeof value === "string" ? text : listOf(text))(check, path, value);
const cold = record({ factor: number({ min: 1 }), forMs: duration });

const SERVICES: Readonly<Record<string, Shape>> = {
  exponential: { meanMs: duration },
  constant: { meanMs: duration },
  lognormal: { meanMs: duration, sigma: optional(duration) },
  bimodal: { meanMs: duration, slowShare: number({ above: 0, below: 1 }), slowFactor: number({ min: 1 }) },
};

const FAULTS: Readonly<Record<string, Shape>> = {
  slow: { factor: duration },
  pause: { forMs: duration, everyMs: optional(duration) },
  fail: {
    status: optional(integer({ min: 400, max: 599 })),
    afterMs: optional(time),
    share: optional(number({ above: 0, max: 1 })),
  },
  dead: { afterMs: optional(time) },
  hang: {},
  cold: { factor: number({ min: 1 }), forMs: duration },
};
const SPAN: Shape = { targets: targetNames, fromMs: optional(time), toMs: optional(time) };

const CHANGES: Readonly<Record<string, Shape>> = {
  add: { group: text, count: integer({ min: 1 }), cold: optional(cold) },
  remove: { targets: targetNames, drainMs: optional(time) },
  replace: { targets: targetNames, drainMs: optional(time), cold: optional(cold) },
};
const PACE: Shape = { atMs: time, everyMs: optional(time), noticeMs: optional(time) };

const GROUP: Shape = {
  name: must({
    description: "letters, digits and hyphens, a letter first",
    accepts: (value): value is string => typeof value === "string" && /^[a-z][a-z0-9-]*$/i.test(value),
  }),
  count: integer({ min: 0, max: 100_000 }),
  workers: optional(integer({ min: 1 })),
  service: optional(oneKind(SERVICES, {})),
  weight: optional(duration),
  zone: optional(text),
  priority: optional(integer({ min: 0, max: 127 })),
  labels: optional(anything),
};

const arrivals: Rule = (check, path, value) => {
  const key =
    typeof value === "object" && value !== null && "callsPerSecond" in value ? "callsPerSecond" : "loadPercent";
  record({ [key]: duration })(check, path, value);
};

const SCENARIO: Shape = {
  name: text,
  description: optional(text),
  backends: listOf(record(GROUP)),
  arrivals,
  durationMs: duration,
  warmUpMs: optional(time),
  clients: optional(integer({ min: 1 })),
  clientZones: optional(listOf(text)),
  networkMs: optional(time),
  timeoutMs: optional(duration),
  idempotent: optional(boolean),
  keys: optional(record({ count: integer({ min: 1, max: 10_000_000 }), skew: optional(number({ min: 0 })) })),
  faults: optional(listOf(oneKind(FAULTS, SPAN))),
  changes: optional(listOf(oneKind(CHANGES, PACE))),
  phases: optional(listOf(record({ name: text, fromMs: time, toMs: optional(duration) }))),
  stepMs: optional(duration),
  seed: optional(integer({ min: 0, max: 2 ** 32 - 1 })),
};

/**
 * Checks a scenario, and the mode it shall run in, all at once.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function checkScenario(scenario: Scenario, mode: Mode): void {
  const check = new OptionCheck();
  record(SCENARIO)(check, "", scenario);
  if (!MODES.has(mode)) check.problem("mode", mode, [...MODES].join(" or "));
  // Names and times can be compared once they are names and times.
  if (check.count === 0) checkTogether(scenario, check);
  check.throwIfAny(`scenario ${JSON.stringify(scenario?.name)}`);
}

const MODES: ReadonlySet<unknown> = new Set<Mode>(["pick", "call"]);

/** What one part of a scenario says of another. */
function checkTogether(scenario: Scenario, check: OptionCheck): void {
  const { backends, phases = [], durationMs } = scenario;
  if (backends.every(({ count }) => count === 0)) check.problem("backends", backends, "at least one backend at first");
  const names = backends.map(({ name }) => name);
  for (const [index, name] of names.entries())
    if (names.indexOf(name) !== index) check.problem(`backends[${index}].name`, name, "a name of its own");
  checkTargets(scenario, check);
  for (const [index, { fromMs, toMs = durationMs }] of phases.entries())
    checkOrder(check, `phases[${index}].toMs`, fromMs, toMs);
}

function checkTargets(scenario: Scenario, check: OptionCheck): void {
  const { backends, faults = [], changes = [] } = scenario;
  const known = knownTargets(scenario);
  const checkNames = (path: string, names: Targets): void => {
    for (const name of typeof names === "string" ? [names] : names)
      if (!known.has(name)) check.problem(path, name, "a group, a backend such as web-1, or zone:name");
  };
  for (const [index, { targets, fromMs = 0, toMs = Number.POSITIVE_INFINITY }] of faults.entries()) {
    checkNames(`faults[${index}].targets`, targets);
    checkOrder(check, `faults[${index}].toMs`, fromMs, toMs);
  }
  for (const [index, change] of changes.entries()) {
    if (change.kind !== "add") checkNames(`changes[${index}].targets`, change.targets);
    else if (!backends.some(({ name }) => name === change.group))
      check.problem(`changes[${index}].group`, change.group, "the name of a group");
  }
}

function checkOrder(check: OptionCheck, path: string, fromMs: number, toMs: number): void {
  if (toMs <= fromMs) check.problem(path, toMs, `more than fromMs (${fromMs})`);
}

/** Everything that `targets` may name. */
function knownTargets({ backends, changes = [] }: Scenario): Set<string> {
  const known = new Set<string>();
  for (const { name, count, zone } of backends) {
    known.add(name);
    if (zone !== undefined) known.add(`zone:${zone}`);
    const added = changes.map((change) => (change.kind === "add" && change.group === name ? change.count : 0));
    const most = added.reduce((total, more) => total + more, count);
    for (let index = 1; index <= most; index++) known.add(`${name}-${index}`);
  }
  return known;
}
