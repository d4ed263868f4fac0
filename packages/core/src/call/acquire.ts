import { FairleadError } from "../errors.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { CallHost } from "./call-host.ts";
import type { ActiveLease } from "./lease.ts";

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
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const lease = host.firstLease(request, host.now());
    if (lease !== undefined) {
      resolve(lease);
      return;
    }
    const settled = (): void => signal?.removeEventListener("abort", onAbort);
    const serve = (served: ActiveLease): void => {
      settled();
      resolve(served);
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
    const { deadlineMs: longest } = host.settings;
    const limitMs = deadlineMs ?? (longest === false ? Number.POSITIVE_INFINITY : longest);
    wait.leave = host.waitForLease(request, limitMs, serve, fail, limitMs);
  });
}

/** The error of everything that is asked of a closed balancer. */
export function closedError(name: string): FairleadError {
  return new FairleadError("FAIRLEAD_ERR_CLOSED", `${name}: the balancer is closed`);
}
