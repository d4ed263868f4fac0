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
    const lease = host.queue.length === 0 ? host.tryLease(request, host.now()) : undefined;
    if (lease !== undefined) {
      resolve(lease);
      return;
    }
    const onAbort = (): void => {
      leave();
      reject(signal?.reason);
    };
    const limitMs =
      deadlineMs ?? (host.settings.deadlineMs === false ? Number.POSITIVE_INFINITY : host.settings.deadlineMs);
    const leave = host.waitForLease(
      request,
      limitMs,
      (served) => {
        signal?.removeEventListener("abort", onAbort);
        resolve(served);
      },
      (error) => {
        signal?.removeEventListener("abort", onAbort);
        reject(error);
      },
      limitMs,
    );
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** The error of everything that is asked of a closed balancer. */
export function closedError(name: string): FairleadError {
  return new FairleadError("FAIRLEAD_ERR_CLOSED", `${name}: the balancer is closed`);
}
