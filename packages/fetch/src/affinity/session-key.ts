import type { Affinity, Balancer, RoutableRequest } from "@fairlead/core";

/** The key of the session that a request belongs to. A function of the user that throws is no reason to fail a call. */
export function sessionKey(affinity: Affinity, request: RoutableRequest, balancer: Balancer): string | undefined {
  try {
    return affinity.keyOf?.(request);
  } catch (error) {
    balancer.announce("callbackFailed", () => ({
      upstream: balancer.name,
      where: `affinity by ${affinity.name}`,
      error,
    }));
    return undefined;
  }
}
