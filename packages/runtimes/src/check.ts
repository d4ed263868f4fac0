import type { Scene } from "./scene.ts";

/** One thing that must be so in every runtime. */
export interface Check {
  /** A sentence; no two are the same. */
  readonly name: string;
  /** Throws if it is not so. */
  readonly run: (scene: Scene) => Promise<void> | void;
  /** Not asked in browsers, and why. */
  readonly notInBrowsers?: string | undefined;
}

/** What came of a check. */
export interface CheckResult {
  readonly name: string;
  readonly ms: number;
  /** What was wrong. */
  readonly error?: string | undefined;
}

/** Compares plain values. */
export function equal(actual: unknown, expected: unknown, what = "value"): void {
  const [seen, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (seen !== wanted) throw new Error(`${what}: got ${seen}, expected ${wanted}`);
}

export function ok(condition: unknown, what: string): void {
  if (condition !== true) throw new Error(`not so: ${what}`);
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it was to reject, and did not");
}

/** Looks again and again until it is so, for two seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let look = 0; look < 200; look++) {
    if (condition()) return;
    await pause(10);
  }
  throw new Error(`not so after two seconds: ${what}`);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
