// More calls than slow backends in processes of their own can take: some wait, some are turned away, nothing is lost.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Balancer, BalancerOptions } from "@fairlead/core";
import { afterEach, describe, expect, test } from "vitest";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { clients } from "./support/clients.ts";

const script = fileURLToPath(new URL("overload/backend.ts", import.meta.url));

interface Seen {
  /** The most requests at once. */
  readonly most: number;
  readonly answered: number;
}

const open: (() => Promise<unknown>)[] = [];
const caught: unknown[] = [];
const note = (error: unknown): void => void caught.push(error);

afterEach(async () => {
  await Promise.all(open.splice(0).map((close) => close()));
});

async function slowBackend(): Promise<{ url: string; seen: () => Promise<Seen> }> {
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  open.push(async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, "exit");
  });
  const [line] = (await once(child.stdout, "data", { signal: AbortSignal.timeout(10_000) })) as [Buffer];
  const url = `http://127.0.0.1:${line.toString().trim()}`;
  return { url, seen: async () => (await (await fetch(`${url}/seen`)).json()) as Seen };
}

type Answers = Record<string, number>;

/** The limit that turned a call away, however deep it is in the error. */
function limitIn(error: unknown): string {
  for (let current = error; current instanceof Error; current = current.cause)
    if ("limit" in current && typeof current.limit === "string") return current.limit;
  throw error;
}

async function flood(send: (path: string) => Promise<{ text(): Promise<string> }>, count: number): Promise<Answers> {
  const answers: Answers = {};
  const one = async (): Promise<void> => {
    const answer = await send("/").then((response) => response.text(), limitIn);
    answers[answer] = (answers[answer] ?? 0) + 1;
  };
  process.on("unhandledRejection", note);
  await Promise.all(Array.from({ length: count }, one));
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  return answers;
}

async function overloaded(options: Partial<BalancerOptions>) {
  const backends = [await slowBackend(), await slowBackend()];
  const balancer = balancerOver(
    backends.map(({ url }) => url),
    options,
  );
  const seen = (): Promise<Seen[]> => Promise.all(backends.map((backend) => backend.seen()));
  return { balancer, seen };
}

/** Every place is free again, and the balancer still serves. */
async function expectRecovered(balancer: Balancer, send: (path: string) => Promise<{ text(): Promise<string> }>) {
  await idle(balancer);
  expect(caught).toEqual([]);
  expect(balancer.snapshot().waiting).toBe(0);
  for (const index of [0, 1])
    expect(counters(balancer, index)).toMatchObject({ failures: 0, overloads: 0, unreached: 0 });
  expect(await (await send("/")).text()).toBe("served");
}

describe.each(clients)("too many calls through $name", (client) => {
  test("queue, and are turned away beyond that", { timeout: 20_000 }, async () => {
    const { balancer, seen } = await overloaded({
      limits: { maxConcurrentPerBackend: 3 },
      queue: { size: 50, timeoutMs: 10_000 },
    });
    const send = client.connect(balancer);
    const { served = 0, "queue-size": shed = 0, ...others } = await flood(send, 200);
    expect(others).toEqual({});
    expect(served + shed).toBe(200);
    // Six at once and fifty behind them; more if the first are done before the last come.
    expect(served).toBeGreaterThanOrEqual(56);
    expect(shed).toBeGreaterThan(0);
    expect(balancer.snapshot().limits.shed["queue-size"]).toBe(shed);
    await idle(balancer);
    const reports = await seen();
    expect(reports.reduce((sum, { answered }) => sum + answered, 0)).toBe(served);
    for (const { most } of reports) expect(most).toBeLessThanOrEqual(3);
    await expectRecovered(balancer, send);
  });
});

test("a limit of the upstream holds over both, and the wait in the queue ends", { timeout: 20_000 }, async () => {
  const { balancer, seen } = await overloaded({
    limits: { maxConcurrent: 2 },
    queue: { size: 1_000, timeoutMs: 100 },
  });
  const send = clients[0]?.connect(balancer);
  if (send === undefined) throw new Error("there is no client");
  const { served = 0, "queue-timeout": late = 0, ...others } = await flood(send, 300);
  expect(others).toEqual({});
  expect(served + late).toBe(300);
  expect(served).toBeGreaterThanOrEqual(2);
  expect(late).toBeGreaterThan(0);
  await idle(balancer);
  const reports = await seen();
  expect(reports.reduce((sum, { answered }) => sum + answered, 0)).toBe(served);
  expect(reports.reduce((sum, { most }) => sum + most, 0)).toBeLessThanOrEqual(4);
  await expectRecovered(balancer, send);
});
