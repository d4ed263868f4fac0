export interface Pace {
  /** Calls per second. */
  readonly rate: number;
  readonly durationMs: number;
}

/**
 * Calls `send` when a call is due, with that time, and never waits for an answer: a slow backend must not slow down those
 * who ask. Resolves when the last call has been sent.
 */
export function openLoop({ rate, durationMs }: Pace, send: (dueMs: number) => void): Promise<void> {
  const startMs = performance.now();
  const total = Math.round((durationMs * rate) / 1000);
  const everyMs = 1000 / rate;
  return new Promise((resolve) => {
    let next = 0;
    const sendWhatIsDue = (): void => {
      for (; next < total && startMs + next * everyMs <= performance.now(); next++) send(startMs + next * everyMs);
      if (next < total) setTimeout(sendWhatIsDue, Math.max(0, Math.ceil(startMs + next * everyMs - performance.now())));
      else resolve();
    };
    sendWhatIsDue();
  });
}
