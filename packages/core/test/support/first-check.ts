import {
  type BackendSnapshot,
  type BackendSpec,
  type CheckSchedule,
  createBalancer,
  type HealthCheck,
} from "@fairlead/core";

const DEADLINE_MS = 20_000;

/** Checks one backend until the first result, on the real clock, and says what the snapshot says of it then. */
export async function firstCheck<O extends CheckSchedule>(
  spec: BackendSpec,
  make: (options: O) => HealthCheck,
  options: O,
): Promise<BackendSnapshot> {
  const balancer = createBalancer({
    name: "orders",
    backends: [spec],
    // Begins within a tick, and changes health at once, which is announced.
    healthCheck: make({ intervalMs: 60_000, fastIntervalMs: 1, ...options, initial: "check-first" }),
  });
  try {
    return await new Promise<BackendSnapshot>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no result in ${DEADLINE_MS} ms`)), DEADLINE_MS);
      balancer.on("backendHealthChanged", () => {
        clearTimeout(timer);
        const [backend] = balancer.snapshot().backends;
        if (backend === undefined) reject(new Error("no backend"));
        else resolve(backend);
      });
    });
  } finally {
    await balancer.close();
  }
}
