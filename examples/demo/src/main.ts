import { killChildren } from "./children.ts";
import { HEADERS_TIMEOUT_MS } from "./clients/balanced-pool-caller.ts";
import { runDemo } from "./demo.ts";
import { type DemoOptions, parseOptions, USAGE } from "./options.ts";
import { LIVE_COLUMNS, LIVE_ROWS, LiveScreen } from "./screen/live-screen.ts";
import { PlainScreen } from "./screen/plain-screen.ts";
import type { Screen } from "./screen/screen.ts";
import { summary } from "./screen/summary.ts";

const { stdout, stderr } = process;

function print(text: string): void {
  stdout.write(`${text}\n`);
}

function introduction({ seconds, rate }: DemoOptions): string {
  return [
    `For ${seconds} s, ${rate} safe calls a second go through fairlead to four backends, and`,
    "as many through undici's BalancedPool to four others just like them. Both sets",
    `suffer the same faults at the same times. An answer may take ${HEADERS_TIMEOUT_MS / 1000} s on both sides;`,
    "when a backend fails, fairlead asks another one, BalancedPool leaves that to you.",
    "",
  ].join("\n");
}

function screenFor({ plain }: DemoOptions): Screen {
  const fits = stdout.columns >= LIVE_COLUMNS && stdout.rows >= LIVE_ROWS;
  const live = stdout.isTTY && fits && process.env["TERM"] !== "dumb" && !plain;
  return live ? new LiveScreen(stdout) : new PlainScreen(print);
}

async function demo(options: DemoOptions): Promise<number> {
  print(introduction(options));
  const screen = screenFor(options);
  const leave = (): void => {
    screen.end();
    killChildren();
  };
  process.once("exit", leave);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => process.exit(signal === "SIGINT" ? 130 : 143));
  }
  const { sides, faults } = await runDemo(options, screen);
  leave();
  print(`\n${summary(sides, faults, options.rate)}\n`);
  return verdict(options, sides[0]?.latencies.count ?? 0, sides[0]?.failed ?? 0);
}

function verdict({ seconds, rate }: DemoOptions, calls: number, failed: number): number {
  const lost = failed + Math.round(seconds * rate) - calls;
  print(lost === 0 ? "fairlead lost no call." : `fairlead lost ${lost} of ${Math.round(seconds * rate)} calls.`);
  return lost === 0 ? 0 : 1;
}

const options = parseOptions(process.argv.slice(2));
if (options === "help") {
  print(USAGE);
} else if ("problems" in options) {
  stderr.write(`${options.problems.join("\n")}\n\n${USAGE}`);
  process.exitCode = 2;
} else {
  process.exit(await demo(options));
}
