import { type BackendSnapshot, type Balancer, type BalancerOptions, createBalancer, first } from "@fairlead/core";
import { afterEach, vi } from "vitest";

const open: Balancer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((balancer) => balancer.close({ drainMs: 0 })));
});

/** A balancer that tries its backends in the order given, and is closed after the test. */
export function balancerOver(backends: BalancerOptions["backends"], options: Partial<BalancerOptions> = {}): Balancer {
  const balancer = createBalancer({ name: "orders", backends, strategy: first(), ...options });
  open.push(balancer);
  return balancer;
}

/** Waits until no backend has anything in flight. */
export async function idle(balancer: Balancer): Promise<void> {
  await vi.waitFor(
    () => {
      const held = balancer.snapshot().backends.map(({ requests, connections }) => requests + connections);
      if (held.some((count) => count !== 0)) throw new Error(`still in flight: ${held.join(", ")}`);
    },
    { timeout: 3_000, interval: 5 },
  );
}

/** The counters of the n-th backend. */
export function counters(balancer: Balancer, index: number): BackendSnapshot {
  const backend = balancer.snapshot().backends[index];
  if (backend === undefined) throw new Error(`there is no backend ${index}`);
  return backend;
}
