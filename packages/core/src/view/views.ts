import type { Member } from "../membership/member.ts";
import { CurrentView, type ViewSource } from "./current-view.ts";
import type { LabelSubsets } from "./label-subsets.ts";
import type { Topology } from "./topology.ts";

type Labels = Readonly<Record<string, string>>;

/** The views of an upstream: one over all members, and one for each subset that calls have asked for. */
export class Views {
  readonly main: CurrentView;
  readonly #source: ViewSource;
  readonly #callbackFailed: (where: string, error: unknown) => void;
  readonly #bySubset = new Map<string, CurrentView>();
  /** Many calls share one object of labels. */
  #byLabels = new WeakMap<Labels, CurrentView>();

  /** @param rebuilt told of every new state of the view over all members */
  constructor(
    source: ViewSource,
    rebuilt: (before: Topology | undefined, after: Topology) => void,
    callbackFailed: (where: string, error: unknown) => void,
  ) {
    this.#source = source;
    this.#callbackFailed = callbackFailed;
    this.main = new CurrentView(source, rebuilt);
  }

  /** The view for calls with these labels. */
  of(labels: Labels | undefined, subsets: LabelSubsets | undefined): CurrentView {
    if (labels === undefined || subsets === undefined) return this.main;
    const known = this.#byLabels.get(labels);
    if (known !== undefined) return known;
    try {
      const view = this.#find(subsets, subsets.keyOf(labels));
      this.#byLabels.set(labels, view);
      return view;
    } catch (error) {
      this.#callbackFailed("subsets", error);
      return this.main;
    }
  }

  /** Everything is another: members came or went, or their labels or settings changed. */
  reset(): void {
    for (const view of this.#bySubset.values()) view.end();
    this.#bySubset.clear();
    this.#byLabels = new WeakMap();
    this.main.invalidate();
  }

  invalidate(): void {
    this.#each((view) => view.invalidate());
  }

  invalidateSoon(nowMs: number): void {
    this.#each((view) => view.invalidateSoon(nowMs));
  }

  look(atMs: number): void {
    this.#each((view) => view.look(atMs));
  }

  /** Only subsets that some member belongs to are ever made, so there are no more of them than members. */
  #find(subsets: LabelSubsets, key: string): CurrentView {
    if (key === "") return this.main;
    const known = this.#bySubset.get(key);
    if (known !== undefined) return known;
    if (this.#someMatch(subsets, key)) return this.#make(key, (member) => this.#belongs(member, subsets, key));
    const { fallback } = subsets;
    if (fallback === undefined) return this.#make("none", () => false);
    return fallback === "" || fallback === key || !this.#someMatch(subsets, fallback)
      ? this.main
      : this.#find(subsets, fallback);
  }

  #someMatch(subsets: LabelSubsets, key: string): boolean {
    for (const member of this.#source.members()) if (!member.gone && subsets.matches(key, member.labels)) return true;
    return false;
  }

  /** Asked when the view is made anew, which a rule that throws must not disturb. */
  #belongs({ labels }: Member, subsets: LabelSubsets, key: string): boolean {
    try {
      return subsets.matches(key, labels);
    } catch (error) {
      this.#callbackFailed("subsets", error);
      return true;
    }
  }

  #make(key: string, belongs: (member: Member) => boolean): CurrentView {
    const known = this.#bySubset.get(key);
    if (known !== undefined) return known;
    const members = (): Iterable<Member> => [...this.#source.members()].filter(belongs);
    const view = new CurrentView({ members, belongs, context: (nowMs) => this.#source.context(nowMs) }, () => {});
    this.#bySubset.set(key, view);
    return view;
  }

  #each(change: (view: CurrentView) => void): void {
    change(this.main);
    if (this.#bySubset.size > 0) for (const view of this.#bySubset.values()) change(view);
  }
}
