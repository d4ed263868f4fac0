import type { Balancer } from "@fairlead/core";

/** What ends when its balancer closes. */
interface Finishable {
  finish(): void;
}

const TUNNELS: unique symbol = Symbol("fairlead.node.tunnels");

/** The tunnels over the backends of a balancer and of all derived from it, asked to end when it closes. */
export function openTunnelsOf(balancer: Balancer): Set<Finishable> {
  return balancer.shared(TUNNELS, () => {
    const open = new Set<Finishable>();
    balancer.attach({
      drain: () => {
        for (const tunnel of open) tunnel.finish();
      },
      // What is left when the time is up has been aborted.
      close: () => {},
    });
    return open;
  });
}
