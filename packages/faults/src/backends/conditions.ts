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

/** To a backend's process: to begin (port 0: any), to be in another condition, to say how many requests it has had. */
export type Order =
  | { readonly kind: "listen"; readonly port: number; readonly condition: Condition }
  | { readonly kind: "be"; readonly condition: Condition }
  | { readonly kind: "count" };

export interface Listening {
  readonly kind: "listening";
  readonly port: number;
}

export interface Count {
  readonly kind: "count";
  readonly requests: number;
}

/** Its first word, and what it answers to each order. */
export type FromBackend = { readonly kind: "ready" } | Listening | Count | { readonly kind: "applied" };

/** The header by which a backend says who it is. */
export const BACKEND_HEADER = "x-backend";
