import type { Attempt, AttemptResult, Report } from "@fairlead/core";
import { callOptions } from "../call-policy.ts";
import { judgeError, judgeStatus } from "../classify.ts";
import type { Addressed } from "../outgoing.ts";
import { attemptHeaders } from "../propagation.ts";
import { backendUrl } from "../target.ts";
import type { TunnelAnswer, TunnelDestination } from "./contract.ts";
import type { Passage } from "./passage.ts";

/** Makes tunnels: see `Forward.tunnel`. */
export interface Tunnels<T extends TunnelAnswer> {
  readonly open: (attempt: Attempt, destination: TunnelDestination) => Promise<T>;
  readonly discard: (answer: T) => void;
}

const IDLE_TIMEOUT_MS = 3_600_000;

/** Opens a tunnel on a backend: on another one if the first can't be reached, and never two at a time. */
export function openTunnel<T extends TunnelAnswer>(
  passage: Passage,
  addressed: Addressed,
  { open, discard }: Tunnels<T>,
  idleTimeoutMs: number | false = IDLE_TIMEOUT_MS,
): Promise<T> {
  const { to, said, signal } = addressed;
  const judge = (result: AttemptResult): Report => {
    if (result.failed) return judgeError(result);
    const { status, headers } = result.value as T;
    return judgeStatus(status, headers?.get("retry-after"), to.balancer.clock);
  };
  const accepts = (answer: unknown): boolean => passage.knows(answer);
  const ours = { kind: "connection", idempotent: true, oneShot: true, signal, judge, accepts, discard } as const;
  const options = callOptions<T>({ ...said, hedge: false }, ours);
  return (to.match ?? to.balancer).call(
    (attempt) => passage.watch(attempt, (watched) => open(watched, destinationOf(watched, addressed, idleTimeoutMs))),
    options,
  );
}

function destinationOf(
  attempt: Attempt,
  { init, said, to }: Addressed,
  idleTimeoutMs: number | false,
): TunnelDestination {
  const headers = new Headers(init.headers);
  const { spec, url } = attempt.backend;
  if (!headers.has("host")) headers.set("host", spec.host ?? new URL(url).host);
  if (said?.propagate === true)
    for (const [name, value] of Object.entries(attemptHeaders(attempt))) headers.set(name, value);
  return { url: backendUrl(attempt.backend, to.path), headers, idleTimeoutMs };
}
