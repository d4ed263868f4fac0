import type { BackendSpec } from "./backend.ts";
import type { Clock } from "./clock.ts";
import type { ReconfigurableOptions } from "./contract.ts";
import type { Random } from "./random.ts";

/** A *complete* set of backends, or an error that leaves the last set in force. */
export type DiscoveryUpdate =
  | { readonly backends: readonly BackendSpec[]; readonly settings?: ReconfigurableOptions | undefined }
  | { readonly error: unknown };

export interface DiscoveryContext {
  /** Aborted on close: end the watch, free everything. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  /** Yields whenever somebody calls `refresh()`: look again now. */
  readonly refreshes: AsyncIterable<void>;
}

/** A source of complete backend sets over time. */
export interface Discovery {
  readonly name: string;
  watch(context: DiscoveryContext): AsyncIterable<DiscoveryUpdate>;
}

/** What a fleet-wide control can say about one upstream. */
export interface ControlPatch {
  /** By backend id. */
  readonly backends?:
    | Readonly<Record<string, { readonly weight?: number | undefined; readonly state?: BackendSpec["state"] }>>
    | undefined;
  readonly settings?: ReconfigurableOptions | undefined;
}

/** Where fleet-wide control is written; every process sees it through its discovery. */
export interface ControlStore {
  readonly name: string;
  write(upstream: string, patch: ControlPatch): Promise<void>;
}
