import type { FairleadError } from "./errors.ts";
import type { Upstream } from "./upstream.ts";

const DRAIN_MS = 10_000;
/** An attachment that does not end by itself in this time is left to its fate. */
const ATTACHMENT_CLOSE_MS = 5_000;

/**
 * Ends everything of an upstream, in this order: nothing is repeated or checked any more, attachments are asked to finish, leases are
 * waited for, what is left is aborted, attachments are freed, then discovery and members. New work has been refused
 * before.
 */
export async function closeUpstream(
  upstream: Upstream,
  reason: FairleadError,
  closeDiscovery: () => void,
  drainMs: number = DRAIN_MS,
): Promise<void> {
  upstream.closing = true;
  upstream.calls.stopRepeating();
  upstream.members.checks.close();
  const drained = Promise.all(
    [...upstream.attachments].map((attachment) => guarded(upstream, "attachment drain", () => attachment.drain?.())),
  );
  await withinDrainTime(upstream, drainMs, drained);
  upstream.calls.closeAll(reason);
  for (const lease of upstream.leases) lease.release();
  const closed = [...upstream.attachments].map((attachment) =>
    guarded(upstream, "attachment close", () => attachment.close()),
  );
  if (closed.length > 0) await withinTime(upstream, ATTACHMENT_CLOSE_MS, Promise.all(closed));
  closeDiscovery();
  upstream.members.dispose();
}

/** Resolves when no lease is held and all sockets are done, or when the time is up. */
function withinDrainTime(upstream: Upstream, drainMs: number, drained: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    let socketsDone = false;
    const finish = (): void => {
      timer.cancel();
      upstream.releaseListeners.delete(check);
      resolve();
    };
    const check = (): void => {
      if (socketsDone && upstream.idle) finish();
    };
    const timer = upstream.clock.schedule(drainMs, finish);
    if (drainMs <= 0) {
      finish();
      return;
    }
    upstream.releaseListeners.add(check);
    drained.then(() => {
      socketsDone = true;
      return check();
    }, finish);
  });
}

/** Resolves with the promise, which never rejects, or when the time is up. */
function withinTime(upstream: Upstream, limitMs: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = upstream.clock.schedule(limitMs, resolve);
    const finish = (): void => {
      timer.cancel();
      resolve();
    };
    promise.then(finish, finish);
  });
}

async function guarded(upstream: Upstream, where: string, run: () => Promise<void> | void): Promise<void> {
  try {
    await run();
  } catch (error) {
    upstream.callbackFailed(where, error);
  }
}
