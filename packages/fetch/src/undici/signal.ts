import type { EventEmitter } from "node:events";

/** undici takes event emitters for signals as well; calls take `AbortSignal`s. */
export function abortSignalOf(signal: AbortSignal | EventEmitter | null | undefined): AbortSignal | undefined {
  if (signal === null || signal === undefined) return undefined;
  if ("addEventListener" in signal) return signal;
  const controller = new AbortController();
  if ("aborted" in signal && signal.aborted === true) controller.abort();
  else signal.once("abort", () => controller.abort("reason" in signal ? signal.reason : undefined));
  return controller.signal;
}
