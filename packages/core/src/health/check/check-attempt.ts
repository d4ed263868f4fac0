import type { Backend, BackendSpec } from "../../backend.ts";
import type { Finding } from "../health.ts";
import type { CheckTarget } from "./health-check.ts";

/** One check under way, as the function that makes it sees it. */
export interface Check {
  readonly backend: Backend;
  /** Aborted when the check has run out of time, or nobody wants to know any more. */
  readonly signal: AbortSignal;
}

/** Looks at one backend once. One that rejects has failed; so has one that does not settle in time. */
export type Probe = (check: Check) => Promise<Finding>;

export class CheckAttempt implements Check {
  readonly backend: CheckTarget;
  readonly startedAtMs: number;
  readonly epoch: number;
  readonly #spec: BackendSpec;
  #controller: AbortController | undefined = undefined;
  #aborted = false;

  constructor(backend: CheckTarget, startedAtMs: number) {
    this.backend = backend;
    this.startedAtMs = startedAtMs;
    this.epoch = backend.epoch;
    this.#spec = backend.spec;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }

  /** Whether the backend is reached in another way by now: what was found says nothing about that. */
  get outdated(): boolean {
    const now = this.backend.spec;
    const then = this.#spec;
    return now !== then && (now.url !== then.url || now.host !== then.host || !sameTls(now.tls, then.tls));
  }
}

function sameTls(a: BackendSpec["tls"], b: BackendSpec["tls"]): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
