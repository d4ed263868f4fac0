import type { SlowStartSettings } from "./slow-start-settings.ts";

/** Weights are recomputed this many times during the window: steps of 5 % are below what a share shows. */
const STEPS = 20;

/**
 * The share of its weight that a backend gets `ageMs` after its return:
 * `max(minWeight, (age / window)^(1 / aggression))`.
 *
 * Source: Envoy `load_balancer_impl.cc` (`applySlowStartFactor`).
 */
export function slowStartFactor(ageMs: number, { windowMs, aggression, minWeight }: SlowStartSettings): number {
  if (ageMs >= windowMs) return 1;
  return Math.max(minWeight, (Math.max(ageMs, 0) / windowMs) ** (1 / aggression));
}

/** When the factor should be looked at again, milliseconds from now. */
export function slowStartStepMs({ windowMs }: SlowStartSettings): number {
  return windowMs / STEPS;
}
