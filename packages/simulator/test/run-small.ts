// Prints the results of small runs as JSON; started by node-versions.test.ts on several versions of Node.
import { type Scenario, simulate } from "@fairlead/simulator";

const scenario: Scenario = {
  name: "small",
  backends: [
    { name: "web", count: 4 },
    { name: "odd", count: 1, weight: 0.5, service: { kind: "lognormal", meanMs: 15 } },
    { name: "two", count: 1, service: { kind: "bimodal", meanMs: 10, slowShare: 0.1, slowFactor: 5 } },
  ],
  arrivals: { loadPercent: 80 },
  durationMs: 20_000,
  clients: 3,
  keys: { count: 1_000, skew: 1 },
  faults: [
    { kind: "pause", targets: "web-1", forMs: 500, everyMs: 5_000 },
    { kind: "fail", targets: "web-2", fromMs: 3_000, toMs: 6_000 },
    { kind: "dead", targets: "odd", fromMs: 8_000, toMs: 9_000 },
    { kind: "hang", targets: "two", fromMs: 8_000, toMs: 9_000 },
  ],
  changes: [{ kind: "replace", targets: "web-3", atMs: 10_000, drainMs: 100, cold: { factor: 5, forMs: 2_000 } }],
};

console.log(JSON.stringify([await simulate({ scenario }), await simulate({ scenario, mode: "call" })]));
