import { parseArgs } from "node:util";

export interface DemoOptions {
  /** How long calls are made. */
  readonly seconds: number;
  /** Calls per second, to each set of backends. */
  readonly rate: number;
  /** Where the backends' service times begin: the same seed, the same times. */
  readonly seed: number;
  /** Lines instead of a live table, even on a terminal. */
  readonly plain: boolean;
}

const RANGES = {
  seconds: { min: 4, max: 600, default: 22 },
  rate: { min: 10, max: 1_000, default: 200 },
  seed: { min: 0, max: 0xffff_ffff, default: 1 },
} as const;

export const USAGE: string = `Usage: pnpm demo [--seconds 22] [--rate 200] [--seed 1] [--plain]

  --seconds  how long calls are made, ${RANGES.seconds.min} to ${RANGES.seconds.max}; the faults are spread over it
  --rate     calls per second to each set of backends, ${RANGES.rate.min} to ${RANGES.rate.max}
  --seed     draws other service times, a whole number from 0
  --plain    lines instead of a live table
  --help     this text
`;

/** What the arguments ask for, or every problem they have. */
export function parseOptions(args: readonly string[]): DemoOptions | "help" | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seconds: { type: "string" },
        rate: { type: "string" },
        seed: { type: "string" },
        plain: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    const number = (name: keyof typeof RANGES, text: string | undefined): number => {
      const { min, max, default: fallback } = RANGES[name];
      if (text === undefined) return fallback;
      const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      if (!(value >= min && value <= max)) {
        problems.push(`--${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}.`);
      }
      return value;
    };
    const options = {
      seconds: number("seconds", values.seconds),
      rate: number("rate", values.rate),
      seed: number("seed", values.seed),
      plain: values.plain,
    };
    return problems.length > 0 ? { problems } : options;
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)] };
  }
}
