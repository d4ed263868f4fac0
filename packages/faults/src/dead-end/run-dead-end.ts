import { Fleet } from "../backends/fleet.ts";
import { openLoop, type Pace } from "../load/open-loop.ts";
import type { Client, Contestant } from "./contestants.ts";

/** What was made of the calls after one of the two backends has come back. */
export interface Recovery {
  readonly contestant: string;
  /** The number of the backend that came back. */
  readonly back: number;
  readonly calls: number;
  readonly served: number;
  /** From the return to the end of the last call that was lost; `undefined` if that was the last of all. */
  readonly recoveredAfterMs: number | undefined;
}

const WELL = { rate: 25, durationMs: 400 };
/** 40 calls. */
const DOWN = { rate: 25, durationMs: 1_600 };
const AFTER_RATE = 25;
/** Longer than a first ejection may be (5 s + 20 %), so that whatever waits for its end has had it. */
const AFTER_MS = 7_000;

/** Two backends, one connection to each: both are down for 40 calls, then one comes back. */
export async function runDeadEnd(contestant: Contestant, back: number, afterMs: number = AFTER_MS): Promise<Recovery> {
  const fleet = await Fleet.start(2);
  const client = contestant.connect(fleet.urls);
  try {
    await fleet.prepareRestart("all");
    await makeCalls(client, WELL);
    await fleet.put("all", "killed");
    await makeCalls(client, DOWN);
    await fleet.backends[back]?.put("well");
    const backMs = performance.now();
    const calls = await makeCalls(client, { rate: AFTER_RATE, durationMs: afterMs });
    return { contestant: contestant.name, back, ...recovery(calls, backMs) };
  } finally {
    await Promise.all([client.close(), fleet.end()]);
  }
}

interface Made {
  readonly ok: boolean;
  readonly endMs: number;
}

async function makeCalls(client: Client, pace: Pace): Promise<readonly Made[]> {
  const made: Promise<Made>[] = [];
  await openLoop(pace, () => {
    made.push(served(client).then((ok) => ({ ok, endMs: performance.now() })));
  });
  return Promise.all(made);
}

function recovery(calls: readonly Made[], backMs: number): Pick<Recovery, "calls" | "served" | "recoveredAfterMs"> {
  const lost = calls.filter(({ ok }) => !ok);
  const recovered = calls.at(-1)?.ok === true;
  return {
    calls: calls.length,
    served: calls.length - lost.length,
    recoveredAfterMs: recovered ? Math.max(0, ...lost.map(({ endMs }) => endMs - backMs)) : undefined,
  };
}

/** Far above what a call on loopback takes: one that has not settled by then never will. */
const CALL_LIMIT_MS = 2_000;

async function served(client: Client): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, CALL_LIMIT_MS, false);
  });
  const ended = client.call().then(
    (status) => status < 500,
    () => false,
  );
  const ok = await Promise.race([ended, late]);
  clearTimeout(timer);
  return ok;
}
