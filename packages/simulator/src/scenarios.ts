import type { BackendGroup, Scenario } from "./scenario.ts";

/** Ten backends with four workers can do 4,000 calls a second at 10 ms each; 70 % of that for 36 s are 100,000 calls. */
const USUAL = { arrivals: { loadPercent: 70 }, durationMs: 36_000 } as const;
/** 70 % of what nine of ten can do. */
const NINE_WORK = { loadPercent: 63 } as const;
/** Enough for a share of keys to be a share of calls. */
const MANY_KEYS = 10_000;
/** A time of trouble, or of change, and the time around it. */
const AROUND = [
  { name: "before", fromMs: 0, toMs: 10_000 },
  { name: "during", fromMs: 10_000, toMs: 25_000 },
  { name: "after", fromMs: 25_000 },
] as const;

function slow(count: number, meanMs: number): BackendGroup {
  return { name: "slow", count, service: { kind: "exponential", meanMs } };
}

/** The scenarios that the defaults are judged by, and that others can be compared in. */
export const scenarios: readonly Scenario[] = [
  {
    ...USUAL,
    name: "homogeneous",
    description: "ten equal backends",
    backends: [{ name: "web", count: 10 }],
  },
  {
    ...USUAL,
    name: "one-slow",
    description: "one of ten is ten times as slow",
    backends: [{ name: "fast", count: 9 }, slow(1, 100)],
  },
  {
    ...USUAL,
    name: "three-slow",
    description: "three of ten are ten times as slow",
    backends: [{ name: "fast", count: 7 }, slow(3, 100)],
  },
  {
    ...USUAL,
    name: "half-slow",
    description: "five of ten are three times as slow",
    backends: [{ name: "fast", count: 5 }, slow(5, 30)],
  },
  {
    ...USUAL,
    name: "pause",
    description: "one of ten stands still for a second every ten",
    backends: [{ name: "web", count: 10 }],
    faults: [{ kind: "pause", targets: "web-1", forMs: 1_000, everyMs: 10_000 }],
  },
  {
    ...USUAL,
    name: "failing",
    description: "one of ten answers 503 at once",
    arrivals: NINE_WORK,
    backends: [
      { name: "good", count: 9 },
      { name: "bad", count: 1 },
    ],
    faults: [{ kind: "fail", targets: "bad" }],
  },
  {
    ...USUAL,
    name: "dead-port",
    description: "one of ten refuses connections",
    arrivals: NINE_WORK,
    backends: [
      { name: "good", count: 9 },
      { name: "bad", count: 1 },
    ],
    faults: [{ kind: "dead", targets: "bad" }],
  },
  {
    ...USUAL,
    name: "rolling-deploy",
    description: "ten backends are replaced one after the other, drained, and cold at first",
    durationMs: 60_000,
    backends: [{ name: "web", count: 10 }],
    changes: [
      {
        kind: "replace",
        targets: "web",
        atMs: 10_000,
        everyMs: 3_000,
        drainMs: 1_000,
        noticeMs: 200,
        cold: { factor: 5, forMs: 3_000 },
      },
    ],
    phases: [
      { name: "before", fromMs: 0, toMs: 10_000 },
      { name: "during", fromMs: 10_000, toMs: 42_000 },
      { name: "after", fromMs: 42_000 },
    ],
  },
  {
    ...USUAL,
    name: "scale-out-in",
    description: "ten backends become fifteen, then ten again",
    backends: [{ name: "web", count: 10 }],
    changes: [
      { kind: "add", group: "web", count: 5, atMs: 10_000, everyMs: 200 },
      {
        kind: "remove",
        targets: ["web-11", "web-12", "web-13", "web-14", "web-15"],
        atMs: 25_000,
        everyMs: 200,
        drainMs: 1_000,
      },
    ],
    phases: AROUND,
  },
  {
    ...USUAL,
    name: "cold-start",
    description: "five new backends join ten; they begin ten times as slow",
    backends: [
      { name: "web", count: 10 },
      { name: "new", count: 0 },
    ],
    changes: [{ kind: "add", group: "new", count: 5, atMs: 10_000, cold: { factor: 10, forMs: 10_000 } }],
    phases: AROUND,
  },
  {
    name: "large",
    description: "300 backends, three in a hundred slow, and 100 clients",
    arrivals: { loadPercent: 70 },
    // 84,000 calls a second: some hundred picks per backend and client would take minutes.
    durationMs: 3_000,
    warmUpMs: 3_000,
    clients: 100,
    backends: [{ name: "fast", count: 291 }, slow(9, 100)],
  },
  {
    ...USUAL,
    name: "failover",
    description: "the primaries refuse connections for 15 s, and the standbys serve",
    durationMs: 60_000,
    arrivals: { loadPercent: 60 },
    backends: [
      { name: "primary", count: 5 },
      { name: "standby", count: 5, priority: 1 },
    ],
    faults: [{ kind: "dead", targets: "primary", fromMs: 10_000, toMs: 25_000 }],
    phases: AROUND,
  },
  {
    ...USUAL,
    name: "zone-loss",
    description: "one of three zones is gone for 15 s",
    durationMs: 60_000,
    arrivals: { loadPercent: 50 },
    clientZones: ["a", "b", "c"],
    clients: 21,
    backends: ["a", "b", "c"].map((zone) => ({ name: zone, count: 4, zone })),
    faults: [{ kind: "dead", targets: "zone:a", fromMs: 10_000, toMs: 25_000 }],
    phases: AROUND,
  },
  {
    ...USUAL,
    name: "keys",
    description: "ten equal backends, and 10,000 keys that are alike",
    arrivals: { loadPercent: 60 },
    backends: [{ name: "web", count: 10 }],
    keys: { count: MANY_KEYS },
  },
  {
    ...USUAL,
    name: "hot-keys",
    description: "the same with one key in a tenth of the calls, another in a twentieth, and so on",
    arrivals: { loadPercent: 60 },
    backends: [{ name: "web", count: 10 }],
    keys: { count: MANY_KEYS, skew: 1 },
  },
  {
    ...USUAL,
    name: "weights",
    description: "weights 1, 1 and 0.5",
    arrivals: { loadPercent: 30 },
    durationMs: 120_000,
    backends: [
      { name: "full", count: 2 },
      { name: "half", count: 1, weight: 0.5 },
    ],
  },
  {
    ...USUAL,
    name: "weights-90-10",
    description: "weights 90 and 10",
    arrivals: { loadPercent: 30 },
    durationMs: 120_000,
    backends: [
      { name: "large", count: 1, weight: 90 },
      { name: "small", count: 1, weight: 10 },
    ],
  },
];
