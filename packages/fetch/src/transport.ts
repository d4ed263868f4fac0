import type { Attempt } from "@fairlead/core";
import type { Destination } from "./destination.ts";

/** What a transport is given: the platform's init, with a stream where the body can be sent only once. */
export type TransportInit = Omit<RequestInit, "signal"> & {
  readonly signal?: AbortSignal;
  readonly duplex?: "half";
};

/** Makes one attempt. Any `fetch` is one. */
export interface Transport {
  (url: string, init: TransportInit, attempt: Attempt, destination: Destination): Promise<Response>;
  /**
   * Whether it finds the way to `attempt.backend` and to `destination.path` itself: it is then handed the logical URL,
   * follows redirects unless it is told not to, and holds the attempt until the body has ended. Default `false`: it is
   * handed the backend's URL and told not to follow.
   */
  readonly keepsOrigin?: boolean | undefined;
  /**
   * Whether bodies come as the backend has encoded them (`content-encoding`). Default `false`, but `true` in workerd: other
   * platforms decode bodies and leave the header.
   */
  readonly keepsEncoding?: boolean | undefined;
  /**
   * Whether it sends an `Upgrade` on, and answers with a 101 that has a `webSocket`. Default `false`, but `true` in workerd.
   */
  readonly upgrades?: boolean | undefined;
  /** Whether it hears of the end of an attempt through `attempt.onAbort`, so that it needs no signal. Default `false`. */
  readonly needsNoSignal?: boolean | undefined;
  /** What other origins are fetched with. Default: the platform's `fetch`, looked up at each call. */
  readonly fetch?: typeof fetch | undefined;
}
