import type { Spread } from "../measure/statistics.ts";

export function fixed(value: number, digits: number): string {
  const rounded = Number(value.toFixed(digits));
  return (rounded === 0 ? 0 : rounded).toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** `0.98 [0.95–1.01]` */
export function withQuartiles({ median, low, high }: Spread, digits: number): string {
  return `${fixed(median, digits)} [${fixed(low, digits)}–${fixed(high, digits)}]`;
}
