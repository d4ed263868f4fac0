import { sharedNow } from "../messages.ts";

export interface Load {
  /** On the shared clock. */
  readonly startsAt: number;
  readonly seconds: number;
  /** Calls per second. */
  readonly rate: number;
}

/**
 * Calls `send` when a call is due, with that time in milliseconds since the start, and never waits for an answer: a slow
 * backend must not slow down those who ask. Resolves when the last call has been sent.
 */
export function openLoop({ startsAt, seconds, rate }: Load, send: (atMs: number) => void): Promise<void> {
  const total = Math.round(seconds * rate);
  const everyMs = 1000 / rate;
  return new Promise((resolve) => {
    let next = 0;
    const sendWhatIsDue = (): void => {
      for (; next < total && startsAt + next * everyMs <= sharedNow(); next++) send(next * everyMs);
      if (next < total) setTimeout(sendWhatIsDue, Math.ceil(startsAt + next * everyMs - sharedNow()));
      else resolve();
    };
    sendWhatIsDue();
  });
}
