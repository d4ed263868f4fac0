import type { Attempt, Balancer, RoutableRequest, SessionAffinity } from "@fairlead/core";
import type { Addressed } from "../outgoing.ts";

/** What a session affinity makes of one request. */
export class Session {
  readonly #affinity: SessionAffinity;
  readonly #asked: RoutableRequest;
  readonly #balancer: Balancer;
  #found: string | undefined = undefined;

  constructor(affinity: SessionAffinity, asked: RoutableRequest, balancer: Balancer) {
    this.#affinity = affinity;
    this.#asked = asked;
    this.#balancer = balancer;
  }

  /** Sends the request where its session lives. A promise only where the affinity needs one. */
  pin(addressed: Addressed): Addressed | Promise<Addressed> {
    try {
      const found = this.#affinity.find(this.#asked, this.#balancer);
      if (!isPromise(found)) return this.#pinned(addressed, found);
      return found.then(
        (id) => this.#pinned(addressed, id),
        (error: unknown) => this.#unknown(addressed, error),
      );
    } catch (error) {
      return this.#unknown(addressed, error);
    }
  }

  /**
   * Tells the client where its session lives now that `attempt` was answered, in a cookie beside those of the backend. No
   * session begins with a 5xx, nor on a backend of a fallback. A promise only where the affinity needs one.
   */
  keep(attempt: Attempt | undefined, status: number, headers: Headers): void | Promise<void> {
    if (attempt === undefined || status >= 500 || attempt.balancer.name !== this.#balancer.name) return;
    const { backend } = attempt;
    this.#announceMove(backend.id);
    const failed = (error: unknown): void => this.#failed("keep", error);
    try {
      const field = this.#affinity.keep(this.#asked, this.#found, backend, this.#balancer);
      if (isPromise(field)) return field.then((later) => append(headers, later)).catch(failed);
      append(headers, field);
    } catch (error) {
      failed(error);
    }
  }

  #pinned(addressed: Addressed, found: string | undefined): Addressed {
    this.#found = found;
    if (found === undefined) return addressed;
    const { pinPolicy } = this.#affinity;
    return { ...addressed, said: { ...addressed.said, pinned: found, pinPolicy } };
  }

  /** An affinity that fails knows of no session. */
  #unknown(addressed: Addressed, error: unknown): Addressed {
    this.#failed("find", error);
    return addressed;
  }

  #announceMove(id: string): void {
    const from = this.#found;
    if (from === undefined || from === id) return;
    const { name } = this.#balancer;
    const affinity = this.#affinity.name;
    this.#balancer.announce("affinityMoved", () => ({ upstream: name, backend: id, affinity, from }));
  }

  #failed(what: string, error: unknown): void {
    const where = `affinity ${this.#affinity.name}: ${what}`;
    this.#balancer.announce("callbackFailed", () => ({ upstream: this.#balancer.name, where, error }));
  }
}

/** @throws TypeError if it would be more than one field */
function append(headers: Headers, field: string | undefined): void {
  if (field !== undefined) headers.append("set-cookie", field);
}

export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && "then" in value;
}
