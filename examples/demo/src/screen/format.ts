export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** Milliseconds without a unit: a decimal where it says something. */
export function millis(ms: number): string {
  return ms < 100 ? ms.toFixed(1) : count(Math.round(ms));
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** A bar of `width` characters, filled by that share. */
export function bar(share: number, width: number): string {
  const filled = Math.round(Math.min(Math.max(share, 0), 1) * width);
  return "█".repeat(filled) + "░".repeat(width - filled);
}
