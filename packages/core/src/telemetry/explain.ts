import type { Member } from "../membership/member.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { Chooser } from "../view/chooser.ts";
import type { Json } from "./snapshot.ts";

/** Why a backend would or would not get the call. */
export interface BackendExplanation {
  readonly id: string;
  readonly admitted: boolean;
  /** In words, such as `ejected for another 3.2 s`. */
  readonly reason: string;
  /** The strategy's score, if it has one. */
  readonly score: number | null;
}

export interface PickExplanation {
  readonly strategy: string;
  /** Who would be chosen; null if nobody, or if the strategy decides by lot. */
  readonly choice: string | null;
  readonly backends: readonly BackendExplanation[];
  /** By the name of the section. */
  readonly sections: Readonly<Record<string, Json>>;
}

export function explainPick(
  strategy: string,
  chooser: Chooser,
  members: readonly Member[],
  request: PickRequest,
  nowMs: number,
): Omit<PickExplanation, "sections"> {
  const { chosen, tier, scores } = chooser.peek(request, nowMs);
  return {
    strategy,
    choice: chosen?.id ?? null,
    backends: members.map((member) => {
      const position = tier?.members.indexOf(member) ?? -1;
      return {
        id: member.id,
        admitted: member.viewGeneration >= 0 && member.admits(request, nowMs),
        reason: reasonFor(member, request, nowMs),
        score: position < 0 ? null : (scores?.[position] ?? null),
      };
    }),
  };
}

/** The first thing that keeps the call away, from the most lasting to the most fleeting. */
function reasonFor(member: Member, request: PickRequest, nowMs: number): string {
  const here = request.pinned === member.id;
  if (member.gone) return "no longer in the set";
  if (member.state === "disabled") return "disabled";
  if (member.state === "draining" && !here) return "draining";
  if (nowMs < member.pausedUntilMs) {
    return `asked not to be called for another ${seconds(member.pausedUntilMs - nowMs)}`;
  }
  if (member.breaker?.admits(nowMs) === false) return `breaker ${member.breaker.state}`;
  if (request.tried?.has(member) === true) return "already tried";
  if (member.ejection.suspect) return suspicion(member, request, nowMs);
  return request.pinned === undefined || here ? "admits it" : "admits it, but the call is pinned elsewhere";
}

function suspicion({ ejection, inPanic }: Member, request: PickRequest, nowMs: number): string {
  if (ejection.untilMs !== undefined && !inPanic) return `ejected for another ${seconds(ejection.untilMs - nowMs)}`;
  if (!ejection.hasFreeProbe(nowMs)) return "failed, and its one test attempt is under way";
  return request.tried === undefined ? "failed, may be tested" : "failed, not for a retry";
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
