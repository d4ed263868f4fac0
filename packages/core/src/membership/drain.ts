import type { Upstream } from "../upstream.ts";
import type { Member } from "./member.ts";

/** Resolves when no lease is held on the member, or after `deadlineMs`. */
export function awaitDrained(upstream: Upstream, member: Member, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const finish = (complete: boolean): void => {
      timer.cancel();
      upstream.releaseListeners.delete(check);
      upstream.announcer.emit("backendDrained", () => ({
        upstream: upstream.name,
        backend: member.id,
        complete,
      }));
      resolve();
    };
    const check = (): void => {
      if (member.idle) finish(true);
    };
    const timer = upstream.clock.schedule(deadlineMs, () => finish(false));
    upstream.releaseListeners.add(check);
    check();
  });
}
