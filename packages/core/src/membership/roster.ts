import { type Difference, differing } from "./differing.ts";
import type { Member } from "./member.ts";
import { type ResolvedSpec, sameSpec } from "./spec.ts";

/** What happens to those who come and go. */
export interface RosterHooks {
  create(spec: ResolvedSpec): Member;
  /** It is new, or was on its way out. `others`: it joins some that stay. */
  joined(member: Member, others: boolean): void;
  added(member: Member): void;
  updated(member: Member): void;
  /** No longer in the set; its last lease may be out. */
  left(member: Member): void;
  /** It is gone for good. */
  removed(member: Member): void;
}

/** Who is in the complete set, in its order, which strategies and `first` see; then those on their way out. */
export class Roster {
  readonly #hooks: RosterHooks;
  readonly #byId = new Map<string, Member>();
  #members: readonly Member[] = [];
  /** The last complete set, as it was taken in. */
  #specs: readonly ResolvedSpec[] | undefined;

  constructor(hooks: RosterHooks) {
    this.#hooks = hooks;
  }

  /** Whether a complete set has ever come. */
  get known(): boolean {
    return this.#specs !== undefined;
  }

  get all(): readonly Member[] {
    return this.#members;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Member | undefined {
    return this.#byId.get(id);
  }

  /**
   * Takes in a complete set: new ones are added, known ones keep their history, missing ones drain away. Returns whether
   * anything has changed; the same set again changes nothing.
   */
  apply(specs: readonly ResolvedSpec[]): boolean {
    const before = this.#specs ?? [];
    const first = this.#specs === undefined;
    this.#specs = specs;
    const range = differing(before, specs);
    const { from, to, toBefore } = range;
    if (!first && from === to && from === toBefore) return false;
    // Where all are new, nobody is warm and all must take calls at once.
    const others = from > 0 || to < specs.length || specs.some(({ id }) => this.#byId.get(id)?.gone === false);
    let changed = first;
    for (let index = from; index < to; index++) if (this.#takeIn(specs[index] as ResolvedSpec, others)) changed = true;
    const wanted = new Set(specs.slice(from, to).map(({ id }) => id));
    for (let index = from; index < toBefore; index++) {
      const { id } = before[index] as ResolvedSpec;
      if (!wanted.has(id)) this.#letGo(id);
    }
    return this.#putInOrder(before.length, specs, range) || changed;
  }

  /** Adds or updates one; false if it was known as it is. */
  #takeIn(spec: ResolvedSpec, others: boolean): boolean {
    const known = this.#byId.get(spec.id);
    if (known !== undefined && !known.gone && (known.spec === spec || sameSpec(known.spec, spec))) return false;
    const member = known ?? this.#hooks.create(spec);
    const joined = known === undefined || known.gone;
    if (known === undefined) this.#byId.set(spec.id, member);
    else known.update(spec);
    if (joined) this.#hooks.joined(member, others);
    if (known === undefined) this.#hooks.added(member);
    else this.#hooks.updated(member);
    return true;
  }

  #letGo(id: string): void {
    const member = this.#byId.get(id);
    if (member === undefined) return;
    member.gone = true;
    member.refreshGate();
    this.#hooks.left(member);
    this.#forgetIfDone(member);
  }

  /** Only the part that differs is put together anew. Returns whether anybody came, went or changed places. */
  #putInOrder(count: number, specs: readonly ResolvedSpec[], { from, to, toBefore }: Difference): boolean {
    const before = this.#members;
    const middle = specs.slice(from, to).flatMap(({ id }) => this.#byId.get(id) ?? []);
    if (to === toBefore && middle.every((member, index) => member === before[from + index])) return false;
    const leaving = [...before.slice(from, toBefore), ...before.slice(count)].filter(
      (member) => member.gone && this.#byId.get(member.id) === member,
    );
    this.#members = [...before.slice(0, from), ...middle, ...before.slice(toBefore, count), ...leaving];
    return true;
  }

  /** One that has left the set goes when its last lease is back. */
  forgetIfDone(member: Member): void {
    if (this.#forgetIfDone(member)) this.#members = this.#members.filter((other) => other !== member);
  }

  #forgetIfDone(member: Member): boolean {
    if (!member.gone || !member.idle || this.#byId.get(member.id) !== member) return false;
    this.#byId.delete(member.id);
    member.dispose();
    this.#hooks.removed(member);
    return true;
  }
}
