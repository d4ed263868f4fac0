import { closedError } from "../errors.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { CallOptions } from "./attempt.ts";
import type { CallHost } from "./call-host.ts";
import type { ActiveLease } from "./lease.ts";

/**
 * Waits until a call or lease may begin, where there is a route that says when, or where calls can come too fast.
 * `undefined`: it may begin now.
 */
export function turnOf<T>(
  host: CallHost,
  request: PickRequest,
  { signal, turn }: Pick<CallOptions<T>, "signal" | "turn">,
  giveUpAtMs: number,
  nowMs: number,
): Promise<void> | undefined {
  // Who has left already takes nothing away from others.
  if (signal?.aborted === true) return undefined;
  const wait = { signal, giveUpAtMs };
  const ofRoute = turn?.(request, wait, nowMs);
  const { rate } = host.limits;
  const all = ofRoute?.then(() => rate?.admit(request, wait, host.now())) ?? rate?.admit(request, wait, nowMs);
  return all?.then(() => {
    if (host.open) return;
    throw closedError(host.name);
  });
}

/** A lease now or not at all, its token included. */
export function leaseNow(host: CallHost, request: PickRequest, nowMs: number): ActiveLease | undefined {
  const { rate } = host.limits;
  if (rate?.take(request, nowMs) === false) return undefined;
  const lease = host.firstLease(request, nowMs);
  if (lease === undefined) rate?.giveBack(request);
  else host.upstream.leases.add(lease);
  return lease;
}
