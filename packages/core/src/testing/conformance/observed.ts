import type { Backend, RequestKind } from "../../backend.ts";
import type { KeyHash } from "../../hash/key-hash.ts";
import { createRandom, type Random } from "../../random.ts";
import type { LoadReportSource, Picker, PickRequest, Strategy, View } from "../../strategy/strategy.ts";

/** A strategy whose every step is watched. */
export class Observed implements Strategy {
  readonly name: string;
  readonly hash: KeyHash | undefined;
  readonly reports: LoadReportSource | undefined;
  /** What was done wrong first. */
  violation: string | undefined;
  /** The ids that were picked, in order. */
  readonly picks: Readonly<Record<RequestKind, string[]>> = { request: [], connection: [] };
  /** How often `peek` said who comes next, and how often somebody else came. */
  peeks = 0;
  wrongPeeks = 0;
  /** Whether `peek` and `scores` are asked before every pick. */
  readonly asking: boolean;
  readonly #inner: Strategy;
  /** A stream for each kind: the draws of one must not be moved by picks of the other. */
  readonly #random: Readonly<Record<RequestKind, Random>>;

  constructor(inner: Strategy, seed: number, asking: boolean) {
    this.name = inner.name;
    this.hash = inner.hash;
    this.reports = inner.reports;
    this.asking = asking;
    this.#inner = inner;
    this.#random = { request: createRandom(seed), connection: createRandom(seed + 1) };
  }

  build(view: View): Picker {
    // Other pickers are built over the same view: none may change it.
    const backends = Object.freeze([...view.backends]);
    const weights = Object.freeze([...view.weights]);
    const watched = { ...view, backends, weights, random: this.#random[view.kind] };
    return new ObservedPicker(
      this,
      this.guard("build", () => this.#inner.build(watched)),
      watched,
    );
  }

  guard<T>(what: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.violated(`${what} threw ${String(error)}`);
      throw error;
    }
  }

  violated(violation: string): void {
    this.violation ??= violation;
  }
}

class ObservedPicker implements Picker {
  readonly #observed: Observed;
  readonly #inner: Picker;
  readonly #view: View;
  readonly #members: ReadonlySet<Backend>;

  constructor(observed: Observed, inner: Picker, view: View) {
    this.#observed = observed;
    this.#inner = inner;
    this.#view = view;
    this.#members = new Set(view.backends);
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    const observed = this.#observed;
    const peeked = observed.asking ? this.#ask(request, nowMs) : undefined;
    const picked = observed.guard("pick", () => this.#inner.pick(request, nowMs));
    const wrong = this.#judge(picked, request, nowMs);
    if (wrong !== undefined) observed.violated(wrong);
    if (peeked !== undefined) observed.peeks++;
    if (peeked !== undefined && peeked !== picked) observed.wrongPeeks++;
    observed.picks[this.#view.kind].push(picked?.id ?? "nobody");
    return picked;
  }

  #judge(picked: Backend | undefined, request: PickRequest, nowMs: number): string | undefined {
    const among = `among ${this.#view.backends.length}, by a ${this.#view.kind}`;
    if (picked === undefined) {
      const missed = this.#view.backends.find((backend) => backend.admits(request, nowMs));
      return missed === undefined ? undefined : `nobody was picked ${among}, though ${missed.id} admits the call`;
    }
    if (!this.#members.has(picked)) return `${picked.id} was picked ${among}, which is not in the view`;
    if (request.tried?.has(picked) === true) return `${picked.id} was picked ${among}, which the call has tried`;
    return picked.admits(request, nowMs)
      ? undefined
      : `${picked.id} was picked ${among}, which does not admit the call`;
  }

  #ask(request: PickRequest, nowMs: number): Backend | undefined {
    const observed = this.#observed;
    const scores = observed.guard("scores", () => this.#inner.scores?.(nowMs));
    if (scores !== undefined && scores.length !== this.#view.backends.length)
      observed.violated(`scores gave ${scores.length} numbers for ${this.#view.backends.length} backends`);
    const odd = scores?.find((score) => !Number.isFinite(score));
    if (odd !== undefined) observed.violated(`scores gave ${odd}, which is no finite number`);
    return observed.guard("peek", () => this.#inner.peek?.(request, nowMs));
  }
}
