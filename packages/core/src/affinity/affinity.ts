import type { Backend } from "../backend.ts";
import type { Balancer } from "../contract.ts";
import type { RoutableRequest } from "../route/routable.ts";

/** Keeps what belongs together on one backend. */
export type Affinity = KeyAffinity | SessionAffinity;

/** By something that every request of a session has: it becomes the `hashKey`, for strategies that hash. */
export interface KeyAffinity {
  readonly kind: "key";
  readonly name: string;
  /** `undefined`: this request belongs to no session. What it throws is announced as `callbackFailed`, and means the same. */
  keyOf(request: RoutableRequest): string | undefined;
}

/** By something that the client is handed and brings back, such as a cookie. Only `createForward` can hand it over. */
export interface SessionAffinity {
  readonly kind: "session";
  readonly name: string;
  /** What becomes of a session whose backend takes no calls. */
  readonly pinPolicy: "redistribute" | "wait" | "fail";
  /** The `hashKey` by which strategies that hash choose where a new session begins, and one that has to move goes on. */
  readonly keyOf?: KeyAffinity["keyOf"] | undefined;
  /** The id of the backend where the session lives; `undefined`: it is a new one, or says nothing that can be trusted. */
  find(request: RoutableRequest, balancer: Balancer): string | undefined | Promise<string | undefined>;
  /**
   * What the client is handed, as a `Set-Cookie` field, now that `backend` has answered; `undefined`: what it has is good.
   *
   * @param found what `find` has said
   */
  keep(
    request: RoutableRequest,
    found: string | undefined,
    backend: Backend,
    balancer: Balancer,
  ): string | undefined | Promise<string | undefined>;
}
