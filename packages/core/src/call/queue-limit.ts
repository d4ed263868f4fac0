import type { RequestKind } from "../backend.ts";
import type { LimitName } from "../errors.ts";
import type { Member } from "../membership/member.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { CallHost } from "./call-host.ts";

interface ReachedLimit {
  readonly limit: LimitName;
  readonly why: string;
}

/** The limit of what may be under way at once that keeps a call from a backend now, if one does. */
export function limitReached(host: CallHost, request: PickRequest): ReachedLimit | undefined {
  const { kind = "request" } = request;
  const whole = upstreamLimit(host, kind);
  if (whole !== undefined) return { limit: "upstream-concurrency", why: whole };
  const full = fullMember(host, request, kind);
  if (full === undefined) return undefined;
  const why = `backend ${full.id} is ${backendLimit(full, kind)}`;
  return {
    limit: "backend-concurrency",
    why: request.pinned === full.id ? why : `${why}, and no other takes the call`,
  };
}

/** That the upstream as a whole has no room, in words. */
export function upstreamLimit({ members, limits: { whole } }: CallHost, kind: RequestKind): string | undefined {
  if (whole?.isFull(kind, members.inFlight(kind)) !== true) return undefined;
  return `the upstream is at its limit of ${count(whole.limitOf(kind), kind)}`;
}

/** That a backend has no room, in words. */
export function backendLimit(member: Member, kind: RequestKind): string | undefined {
  return member.isFull(kind) ? `at its limit of ${count(member.capacity?.limitOf(kind), kind)}` : undefined;
}

function fullMember(
  { members, clock }: CallHost,
  { pinned, pinPolicy, labels }: PickRequest,
  kind: RequestKind,
): Member | undefined {
  if (pinned !== undefined && (pinPolicy === "wait" || pinPolicy === "fail")) {
    const member = members.get(pinned);
    return member?.isFull(kind) === true ? member : undefined;
  }
  for (const tier of members.view(labels).topology(clock.now()).tiers)
    for (const member of tier.members) if (member.isFull(kind)) return member;
  return undefined;
}

function count(limit: number | undefined, kind: RequestKind): string {
  return `${limit} ${kind}${limit === 1 ? "" : "s"}`;
}
