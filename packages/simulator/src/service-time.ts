import type { Random } from "@fairlead/core";
import type { ServiceTime } from "./scenario.ts";

/** Draws service times, milliseconds. */
export function serviceTimes(service: ServiceTime, random: Random): () => number {
  const { meanMs } = service;
  if (service.kind === "constant") return () => meanMs;
  if (service.kind === "lognormal") {
    // The mean of e^(μ + σZ) is e^(μ + σ²/2).
    const sigma = service.sigma ?? 1;
    const mu = Math.log(meanMs) - (sigma * sigma) / 2;
    return () => Math.exp(mu + sigma * normal(random));
  }
  if (service.kind === "bimodal") {
    const { slowShare, slowFactor } = service;
    const fastMs = meanMs / (1 + slowShare * (slowFactor - 1));
    return () => (random.next() < slowShare ? fastMs * slowFactor : fastMs);
  }
  return () => exponential(meanMs, random);
}

/** Inversion: −mean · ln(1 − u), u in [0, 1). */
export function exponential(meanMs: number, random: Random): number {
  return -meanMs * Math.log(1 - random.next());
}

/**
 * Standard normal by Marsaglia's polar method, which needs no trigonometric function: those differ between engines.
 *
 * Source: Marsaglia & Bray, "A convenient method for generating normal variables" (1964).
 */
function normal(random: Random): number {
  for (;;) {
    const x = 2 * random.next() - 1;
    const y = 2 * random.next() - 1;
    const square = x * x + y * y;
    if (square > 0 && square < 1) return x * Math.sqrt((-2 * Math.log(square)) / square);
  }
}
