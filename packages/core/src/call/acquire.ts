import type { PickRequest } from "../strategy/strategy.ts";
import type { CallHost } from "./call-host.ts";
import type { ActiveLease } from "./lease.ts";
import { turnOf } from "./turn.ts";

export interface AcquireOptions {
  readonly signal?: AbortSignal | undefined;
  /** The longest wait, milliseconds. Default: the deadline of a call. */
  readonly deadlineMs?: number | undefined;
}

/** A lease now or, behind those who wait already, as soon as there is one. */
export function acquireLease(
  host: CallHost,
  request: PickRequest,
  { signal, deadlineMs }: AcquireOptions,
): Promise<ActiveLease> {
  const nowMs = host.now();
  const { deadlineMs: longest } = host.settings;
  const giveUpAtMs = nowMs + (deadlineMs ?? (longest === false ? Number.POSITIVE_INFINITY : longest));
  const turn = turnOf(host, request, { signal }, giveUpAtMs, nowMs);
  const wait = (): Promise<ActiveLease> => waitForLease(host, request, signal, giveUpAtMs);
  return turn === undefined ? wait() : turn.then(wait);
}

function waitForLease(
  host: CallHost,
  request: PickRequest,
  signal: AbortSignal | undefined,
  giveUpAtMs: number,
): Promise<ActiveLease> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const lease = host.firstLease(request, host.now());
    const take = (taken: ActiveLease): void => {
      host.upstream.leases.add(taken);
      resolve(taken);
    };
    if (lease !== undefined) {
      take(lease);
      return;
    }
    const settled = (): void => signal?.removeEventListener("abort", onAbort);
    const serve = (served: ActiveLease): void => {
      settled();
      take(served);
    };
    const fail = (error: unknown): void => {
      settled();
      reject(error);
    };
    const wait = { leave: (): void => {} };
    const onAbort = (): void => {
      wait.leave();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    const limitMs = giveUpAtMs - host.now();
    wait.leave = host.waitForLease(request, limitMs, serve, fail, limitMs);
  });
}
