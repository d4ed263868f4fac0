import type { Check, CheckResult } from "./check.ts";
import { type Addresses, Scene } from "./scene.ts";

/** A check that takes longer than this hangs. */
const LIMIT_MS = 10_000;

/** Runs the checks one after the other. */
export async function runChecks(
  checks: readonly Check[],
  addresses: Addresses,
  isBrowser: boolean,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const [index, check] of checks.entries()) {
    if (isBrowser && check.notInBrowsers !== undefined) continue;
    const startedMs = performance.now();
    const error = await failureOf(check, new Scene(addresses, index));
    results.push({ name: check.name, ms: Math.round(performance.now() - startedMs), error });
  }
  return results;
}

async function failureOf(check: Check, scene: Scene): Promise<string | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  const run = async (): Promise<void> => {
    await check.run(scene);
    await scene.end();
  };
  try {
    await Promise.race([run(), late]);
    return undefined;
  } catch (error) {
    return describe(error);
  } finally {
    clearTimeout(timer);
  }
}

export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${describe(error.cause)}`;
  return `${error.stack ?? `${error.name}: ${error.message}`}${cause}`;
}
