import { describe, expect, it } from "vitest";
import { scripted } from "../../test/fakes.ts";
import type { HealthCheck, HealthCheckContext } from "../health/check/health-check.ts";
import { UP } from "../health/health.ts";
import { OptionCheck } from "../options.ts";
import { DEFAULT_SHARED_SETTINGS, resolveSharedSettings } from "../settings.ts";
import { virtualClock } from "../testing/index.ts";
import { Upstream } from "../upstream.ts";
import type { Member } from "./member.ts";

/** An upstream of two, the first of which is ejected. */
function ejectedFirst() {
  const clock = virtualClock();
  let run: HealthCheckContext | undefined;
  const healthCheck: HealthCheck = {
    name: "by hand",
    start: (context) => {
      run = context;
      return { add: () => {}, remove: () => {}, close: () => {} };
    },
  };
  const settings = resolveSharedSettings(
    new OptionCheck(),
    { ejection: { jitter: 0 }, healthCheck },
    DEFAULT_SHARED_SETTINGS,
  );
  const upstream = new Upstream("orders", "http://orders", clock, scripted(0.5), undefined, settings);
  const { members, announcer } = upstream;
  members.apply(members.check("set", ["http://a.test", "http://b.test"]));
  const [member] = members.all as readonly [Member, ...Member[]];
  const events: string[] = [];
  announcer.on("backendReturned", ({ backend }) => events.push(`${backend} returned`));
  announcer.on("backendEjected", ({ backend, reason }) => events.push(`${backend}: ${reason}`));
  for (let failure = 0; failure < 5; failure++) members.observe(member.id, { outcome: "failure" }, clock.now());
  const passed = (target: Member): void => {
    const nowMs = clock.now();
    const { epoch } = target;
    const check = { passed: true, reason: "200", startedAtMs: nowMs, endedAtMs: nowMs, epoch, unejects: true };
    run?.report(target, { health: UP, check });
  };
  return { clock, members, member, events, upstream, passed };
}

describe("an active check that passes", () => {
  it("ends an ejection as a test attempt that works would: announced, history forgotten, slow start", () => {
    const { clock, members, member, events, passed } = ejectedFirst();
    member.loads.observe(member.row, 500, 0);
    clock.advanceSync(1_000);
    passed(member);
    expect(events).toEqual(["a.test:80: 5 failures in a row, the last: failure", "a.test:80 returned"]);
    expect(member.ejection.suspect).toBe(false);
    expect(member.latency.read(clock.now())).toBe(0);
    expect(member.warmsUpFromMs).toBe(1_000);
    expect(member.admits({}, clock.now())).toBe(true);
    expect(members.view().topology(clock.now()).tiers[0]?.members).toContain(member);
  });

  it("ends probation too, and lets those who wait look again", () => {
    const { clock, members, member, upstream, passed } = ejectedFirst();
    let looked = 0;
    upstream.changed = () => void looked++;
    clock.advanceSync(5_000);
    members.view().topology(clock.now());
    expect(member.ejection.probation).toBe(true);
    passed(member);
    expect(member.ejection.suspect).toBe(false);
    expect(looked).toBe(1);
  });

  it("leaves the next ejection as long as it would have been", () => {
    const { clock, members, member, passed } = ejectedFirst();
    passed(member);
    for (let failure = 0; failure < 5; failure++) members.observe(member.id, { outcome: "failure" }, clock.now());
    expect(member.ejection.untilMs).toBe(10_000);
  });

  it("changes nothing for a backend that is in", () => {
    const { clock, members, events, passed } = ejectedFirst();
    const other = members.all[1] as Member;
    members.observe(other.id, { outcome: "failure" }, clock.now());
    passed(other);
    expect(events).toHaveLength(1);
    expect(other.ejection.failures).toBe(1);
    expect(other.warmsUpFromMs).toBeUndefined();
  });

  it("changes nothing where ejection is off", () => {
    const { members, member, passed } = ejectedFirst();
    members.settings = { ...members.settings, ejection: undefined };
    passed(member);
    expect(member.ejection.suspect).toBe(false);
    expect(member.warmsUpFromMs).toBeUndefined();
  });
});
