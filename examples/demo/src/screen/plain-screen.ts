import type { Side } from "../results/side.ts";
import { count, millis, percent, seconds } from "./format.ts";
import type { Moment, Screen } from "./screen.ts";

const EVERY_MS = 1_000;

/** A line per second and per event, for logs. */
export class PlainScreen implements Screen {
  readonly #write: (line: string) => void;
  #nextAtMs = EVERY_MS;
  #begun = false;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  event({ elapsedMs }: Moment, text: string): void {
    this.#begin();
    this.#write(`${seconds(elapsedMs).padStart(7)}  ${text}`);
  }

  update({ elapsedMs, totalMs, sides }: Moment): void {
    if (elapsedMs < this.#nextAtMs || elapsedMs > totalMs) return;
    this.#nextAtMs += EVERY_MS;
    this.#begin();
    this.#write(`${seconds(elapsedMs).padStart(7)}${sides.map(sideText).join("")}`);
  }

  end(): void {}

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#write("         fairlead                          BalancedPool");
    this.#write("   time  calls failed p99 ms share in %    calls failed p99 ms share in %");
  }
}

function sideText(side: Side): string {
  const { latencies } = side;
  const shares = side.shares().map((share) => percent(share).replace(" %", "").padStart(2));
  return `  ${count(latencies.count).padStart(5)}${count(side.failed).padStart(7)}${millis(latencies.at(0.99)).padStart(7)} ${shares.join(" ").padEnd(13)}`;
}
