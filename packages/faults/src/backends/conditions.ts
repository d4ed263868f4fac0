/** What can be wrong with a backend, or `well`. */
export type Condition =
  | "well"
  /** The process is gone (SIGKILL). */
  | "killed"
  /** The process is there, and does nothing (SIGSTOP). */
  | "stopped"
  /** Nobody listens: connections are refused. */
  | "refusing"
  /** Somebody listens, but never accepts, and what may wait for that is used up: every SYN is dropped. */
  | "deaf"
  /** Connections are accepted and closed before anything is read. */
  | "hanging up"
  | "answering 503"
  | "answering 500"
  /** Every hundredth answer is a 503. */
  | "failing at times"
  /** A new process that accepts requests, and answers them when it is well. */
  | "starting"
  /** Headers and half of the body at once, the rest when it is well. */
  | "stalling";

/** To a backend's process: to be in a condition, or to say how many requests it has had. Each is answered. */
export type Order = { readonly kind: "be"; readonly condition: Condition } | { readonly kind: "count" };

export interface Listening {
  readonly kind: "listening";
  readonly port: number;
}

export interface Count {
  readonly kind: "count";
  readonly requests: number;
}

export type FromBackend = Listening | Count | { readonly kind: "applied" };

/** The header by which a backend says who it is. */
export const BACKEND_HEADER = "x-backend";
