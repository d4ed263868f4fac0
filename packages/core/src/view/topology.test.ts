import { describe, expect, it } from "vitest";
import { scripted } from "../../test/fakes.ts";
import type { AdminState } from "../backend.ts";
import { DEFAULT_EJECTION } from "../health/ejection-settings.ts";
import { Member } from "../membership/member.ts";
import { resolveSpecs } from "../membership/spec.ts";
import { OptionCheck } from "../options.ts";
import { createRandom } from "../random.ts";
import { DEFAULT_SHARED_SETTINGS, type SharedSettings } from "../settings.ts";
import { LoadTable } from "../strategy/load/load-table.ts";
import { Failback } from "./failback.ts";
import { buildTopology, type Topology } from "./topology.ts";

const EJECTION = { ...DEFAULT_EJECTION, jitter: 0 };

interface Plan {
  readonly priority?: number;
  readonly weight?: number;
  readonly state?: AdminState;
  /** Milliseconds. */
  readonly ejectedAt?: number;
  readonly probation?: boolean;
  readonly returnedAt?: number;
  readonly gone?: boolean;
  /** By checks. */
  readonly health?: "down" | "pending";
  readonly checked?: boolean;
}

/** Members a, b, c… as the plans say. */
function membersOf(plans: readonly Plan[]): Member[] {
  const loads = new LoadTable(10_000, 0);
  return plans.map(({ priority, weight, state, ejectedAt, probation, returnedAt, gone, health, checked }, index) => {
    const id = String.fromCharCode(97 + index);
    const [spec] = resolveSpecs(new OptionCheck(), "", [{ url: `http://${id}`, id, priority, weight, state }]);
    const member = new Member(spec!, loads, scripted(0.5), undefined);
    if (ejectedAt !== undefined) member.ejection.eject(ejectedAt, EJECTION, "failed");
    if (probation === true) member.ejection.expire(1e9, true);
    if (returnedAt !== undefined) member.warmsUpFromMs = returnedAt;
    member.gone = gone === true;
    if (health === "down") member.health = { kind: "down", reason: "", failures: 3, successes: 0 };
    if (health === "pending") member.health = { kind: "pending", reason: "" };
    if (checked === true) {
      const [startedAtMs, endedAtMs, epoch] = [0, 1, 0];
      member.lastCheck = { passed: false, reason: "503", startedAtMs, endedAtMs, epoch, unejects: true };
    }
    member.refreshGate();
    return member;
  });
}

function build(members: readonly Member[], settings: Partial<SharedSettings> = {}, nowMs = 1_000): Topology {
  return buildTopology(members, nowMs, {
    settings: { ...DEFAULT_SHARED_SETTINGS, ...settings },
    random: createRandom(1),
    loads: new LoadTable(10_000, 0),
    failback: new Failback(),
    callbackFailed: (where, error) => {
      throw new Error(where, { cause: error });
    },
  });
}

/** Tiers as text: priority, members, load. */
function describeTiers({ tiers }: Topology): string[] {
  return tiers.map(
    ({ priority, members, upTo, panic }, index) =>
      `${priority}:${members.map(({ id }) => id).join("")} ${upTo - (tiers[index - 1]?.upTo ?? 0)}${panic ? " panic" : ""}`,
  );
}

describe("the tiers of a topology", () => {
  it("are one per priority, in their order, whatever the order of the set", () => {
    expect(describeTiers(build(membersOf([{ priority: 3 }, {}, { priority: 3 }, { priority: 1 }])))).toEqual([
      "0:b 100",
      "1:d 0",
      "3:ac 0",
    ]);
  });

  it("leave out who is disabled, draining or gone", () => {
    const members = membersOf([{}, { state: "disabled" }, { state: "draining" }, { gone: true }, {}]);
    expect(describeTiers(build(members))).toEqual(["0:ae 100"]);
  });

  it("do not count those who are out of play as unhealthy", () => {
    const members = membersOf([
      {},
      { state: "disabled" },
      { state: "disabled" },
      { state: "draining" },
      { priority: 1 },
    ]);
    expect(describeTiers(build(members))).toEqual(["0:a 100", "1:e 0"]);
  });

  it("are none without anybody in play", () => {
    expect(build(membersOf([{ state: "disabled" }])).tiers).toEqual([]);
    expect(build([]).tiers).toEqual([]);
  });

  it("put degraded backends behind the healthy ones of all priorities", () => {
    const members = membersOf([{}, { state: "degraded" }, { state: "degraded" }, { priority: 1 }]);
    // 140 / 3 = 46 healthy, 93 degraded; 100 healthy in the second priority.
    expect(describeTiers(build(members))).toEqual(["0:a 46", "1:d 54", "0:bc 0"]);
  });

  it("leave out ejected backends, and let the next priority take what is missing", () => {
    const members = membersOf([{}, {}, { ejectedAt: 0 }, { ejectedAt: 0 }, { priority: 1 }]);
    expect(describeTiers(build(members))).toEqual(["0:ab 70", "1:e 30"]);
  });

  it("keep a backend on probation in play", () => {
    const members = membersOf([{}, { ejectedAt: 0, probation: true }]);
    const topology = build(members);
    expect(describeTiers(topology)).toEqual(["0:ab 100"]);
    expect(topology.probation.map(({ id }) => id)).toEqual(["b"]);
  });

  it("do not test a backend whose priority has no load", () => {
    const members = membersOf([{}, {}, { priority: 1, ejectedAt: 0, probation: true }]);
    expect(build(members).probation).toEqual([]);
  });
});

describe("a topology in panic", () => {
  it("takes the ejected ones in again, at a tenth of their weight", () => {
    const members = membersOf([{ weight: 4 }, { weight: 4, ejectedAt: 0 }, { weight: 2, ejectedAt: 0 }]);
    const topology = build(members);
    expect(describeTiers(topology)).toEqual(["0:abc 100 panic"]);
    expect(topology.tiers[0]?.weights).toEqual([4, expect.closeTo(0.4, 9), expect.closeTo(0.2, 9)]);
    expect(topology.panic).toEqual([0]);
    expect(topology.panicking).toEqual(members);
  });

  it("is over at half", () => {
    const members = membersOf([{}, { ejectedAt: 0 }]);
    expect(describeTiers(build(members))).toEqual(["0:a 100"]);
    expect(build(members).panicking).toEqual([]);
  });

  it("is named by priority, not by position", () => {
    expect(build(membersOf([{ priority: 7, ejectedAt: 0 }])).panic).toEqual([7]);
  });

  it("never is with a threshold of 0", () => {
    expect(build(membersOf([{ ejectedAt: 0 }]), { panicThreshold: 0 }).tiers).toEqual([]);
  });
});

const weightAt = (nowMs: number, settings?: Partial<SharedSettings>): number | undefined =>
  build(membersOf([{ weight: 4, returnedAt: 0 }, {}]), settings, nowMs).tiers[0]?.weights[0];

describe("the weights of a tier", () => {
  it("are the configured ones", () => {
    expect(build(membersOf([{ weight: 3 }, { weight: 0.5 }])).tiers[0]?.weights).toEqual([3, 0.5]);
  });

  it("grow over the slow start of one that came back", () => {
    expect([0, 500, 5_000, 10_000].map((nowMs) => weightAt(nowMs))).toEqual([0.4, 0.4, 2, 4]);
    expect(weightAt(0, { slowStart: undefined })).toBe(4);
  });
});

describe("the validity of a topology", () => {
  it("has no end while nothing changes by time", () => {
    expect(build(membersOf([{}, {}])).validUntilMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("ends with the first ejection that ends", () => {
    const members = membersOf([{}, {}, {}, { ejectedAt: 900 }, { ejectedAt: 400 }]);
    expect(build(members).validUntilMs).toBe(5_400);
  });

  it("ends with the next step of a slow start", () => {
    expect(build(membersOf([{ returnedAt: 900 }, {}])).validUntilMs).toBe(1_500);
  });
});

describe("the members of a topology", () => {
  it("have their place in it; the others have none", () => {
    const members = membersOf([{}, { state: "disabled" }, { ejectedAt: 0 }, {}]);
    const { places } = build(members);
    expect(members.map(({ row }) => places[row]?.id)).toEqual(["a", undefined, undefined, "d"]);
  });

  it("are found by kind in views that share everything else", () => {
    const [tier] = build(membersOf([{ weight: 2 }, {}])).tiers;
    const requests = tier?.view("request");
    expect(requests?.kind).toBe("request");
    expect(tier?.view("request")).toBe(requests);
    expect(tier?.view("connection")).toMatchObject({ kind: "connection", weights: [2, 1] });
    expect([...(requests?.rows ?? [])]).toEqual(tier?.members.map(({ row }) => row));
  });
});

describe("what health checks say", () => {
  it("counts a backend that is down as failed, and one that is pending not at all", () => {
    // Two of three that count are healthy: 66 %, so that the next priority helps.
    const all = membersOf([{}, {}, { health: "down" }, { health: "pending", checked: true }, { priority: 1 }]);
    expect(describeTiers(build(all))).toEqual(["0:ab 93", "1:e 7"]);
    expect(describeTiers(build(membersOf([{}, { health: "down" }, { health: "down" }])))).toEqual(["0:abc 100 panic"]);
    expect(describeTiers(build(membersOf([{}, { health: "pending" }, { health: "pending" }])))).toEqual(["0:a 100"]);
  });

  it("lets calls wait while nobody works and not all have been looked at, and no longer", () => {
    expect(describeTiers(build(membersOf([{ health: "down" }, { health: "pending" }])))).toEqual([]);
    const [down, pending] = [{ health: "down" }, { health: "pending", checked: true }] as const;
    expect(describeTiers(build(membersOf([down, pending])))).toEqual(["0:a 100 panic"]);
  });
});
