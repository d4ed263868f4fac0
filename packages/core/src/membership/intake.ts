import type { Timer } from "../clock.ts";
import type { ReconfigurableOptions } from "../contract.ts";
import type { Upstream } from "../upstream.ts";
import type { ResolvedSpec } from "./spec.ts";

/** A complete set with what the source says beside it. */
interface Answer {
  readonly specs: readonly ResolvedSpec[];
  readonly settings: ReconfigurableOptions | undefined;
}

/** Where the answers come from. */
export interface AnswerSource {
  readonly name: string;
  /** Asks it to look again. */
  refresh(): void;
  configure(settings: ReconfigurableOptions): void;
  failed(error: unknown): void;
}

/**
 * Takes in what a discovery answers: waits until a burst of changes is over, and believes that there is no backend at all
 * only if it is said again. An answer that helps (nobody works now) is taken in at once.
 */
export class Intake {
  readonly #upstream: Upstream;
  readonly #source: AnswerSource;
  #pending: { readonly answer: Answer; readonly sinceMs: number; readonly timer: Timer } | undefined;
  /** Answers without any backend, one after the other. */
  #empty: { inRow: number; readonly sinceMs: number; nextLook: Timer } | undefined;

  constructor(upstream: Upstream, source: AnswerSource) {
    this.#upstream = upstream;
    this.#source = source;
  }

  /** How often in a row the source has said that there is nobody, while the set in force stays. */
  get emptyAnswers(): number {
    return this.#empty?.inRow ?? 0;
  }

  take(answer: Answer): void {
    if (answer.specs.length === 0) this.#takeEmpty(answer);
    else {
      this.#endEmpty();
      this.#debounce(answer);
    }
  }

  close(): void {
    this.#endEmpty();
    this.#pending?.timer.cancel();
    this.#pending = undefined;
  }

  #debounce(answer: Answer): void {
    const { clock, members } = this.#upstream;
    const { debounceMs, debounceLimitMs } = members.settings.membership;
    const nowMs = clock.now();
    const sinceMs = this.#pending?.sinceMs ?? nowMs;
    const waitMs = Math.min(debounceMs, sinceMs + debounceLimitMs - nowMs);
    if (waitMs <= 0 || !members.known || members.nobodyWorks) {
      this.#apply(answer);
      return;
    }
    this.#pending?.timer.cancel();
    const timer = clock.schedule(waitMs, () => this.#apply(answer), { background: true });
    this.#pending = { answer, sinceMs, timer };
  }

  #takeEmpty(answer: Answer): void {
    const { clock, members } = this.#upstream;
    const { emptyAnswer, emptyReads, emptyHoldMs } = members.settings.membership;
    if (emptyAnswer === "apply") {
      this.#announceEmpty(1, true);
      this.#apply(answer);
      return;
    }
    if (this.#pending !== undefined) this.#apply(this.#pending.answer);
    if (emptyAnswer === "keep") {
      this.#announceEmpty(1, false);
      return;
    }
    const nowMs = clock.now();
    const sinceMs = this.#empty?.sinceMs ?? nowMs;
    const inRow = this.emptyAnswers + 1;
    this.#empty?.nextLook.cancel();
    const confirmed = inRow >= emptyReads && nowMs - sinceMs >= emptyHoldMs;
    this.#announceEmpty(inRow, confirmed);
    if (confirmed) {
      this.#empty = undefined;
      this.#apply(answer);
    } else this.#empty = { inRow, sinceMs, nextLook: this.#lookAgain(emptyHoldMs / Math.max(1, emptyReads - 1)) };
  }

  /** A source that speaks only when something changes is asked. */
  #lookAgain(delayMs: number): Timer {
    return this.#upstream.clock.schedule(delayMs, () => this.#source.refresh(), { background: true });
  }

  #endEmpty(): void {
    this.#empty?.nextLook.cancel();
    this.#empty = undefined;
  }

  #announceEmpty(inRow: number, applied: boolean): void {
    const { name: upstream, announcer } = this.#upstream;
    announcer.emit("discoveryEmptied", () => ({ upstream, discovery: this.#source.name, inRow, applied }));
  }

  #apply({ specs, settings }: Answer): void {
    this.#pending?.timer.cancel();
    this.#pending = undefined;
    const { name: upstream, announcer, members } = this.#upstream;
    members.apply(specs);
    try {
      if (settings !== undefined) this.#source.configure(settings);
    } catch (error) {
      this.#source.failed(error);
    }
    announcer.emit("discoveryUpdated", () => ({ upstream, discovery: this.#source.name, backends: specs.length }));
  }
}
