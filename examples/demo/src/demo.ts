import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { BackendSet } from "./backends/backend-set.ts";
import { nextMessage, startChild } from "./children.ts";
import { type FromClient, sharedNow, type ToClient } from "./messages.ts";
import type { DemoOptions } from "./options.ts";
import { Side } from "./results/side.ts";
import { BACKENDS, type Fault, scenario } from "./scenario.ts";
import type { Moment, Screen } from "./screen/screen.ts";
import { Stage } from "./stage.ts";

const CLIENT = new URL("clients/client.ts", import.meta.url);
const SIDES = [
  { kind: "fairlead", name: "fairlead" },
  { kind: "balanced-pool", name: "undici BalancedPool" },
] as const;
const REDRAW_EVERY_MS = 200;
/** Time for both clients to get the message before the first call is due. */
const HEAD_START_MS = 100;

export interface DemoResult {
  readonly sides: readonly Side[];
  /** As they happened. */
  readonly faults: readonly Fault[];
}

/** The same calls and the same faults for both sides, each with backends and a client process of its own. */
export async function runDemo({ seconds, rate, seed }: DemoOptions, screen: Screen): Promise<DemoResult> {
  const sets = await Promise.all(SIDES.map(() => BackendSet.start(BACKENDS, seed)));
  const clients = await Promise.all(SIDES.map(({ kind }, index) => startClient(kind, sets[index]?.urls ?? [])));
  const sides = SIDES.map(({ name }) => new Side(name));
  const startsAt = sharedNow() + HEAD_START_MS;
  const stage = new Stage(sets, BACKENDS);
  const moment = (): Moment => ({
    elapsedMs: Math.max(0, sharedNow() - startsAt),
    totalMs: seconds * 1000,
    conditions: stage.conditions,
    sides,
  });
  stage.onEvent = (text) => screen.event(moment(), text);

  const redrawing = setInterval(() => screen.update(moment()), REDRAW_EVERY_MS);
  try {
    const load: ToClient = { kind: "start", startsAt, seconds, rate };
    const callsMade = Promise.all(clients.map((client, index) => follow(client, load, sides[index])));
    const faults = Promise.all(scenario(seconds).map((fault) => bringAbout(fault, stage, startsAt)));
    const result = { sides, faults: (await Promise.all([faults, callsMade]))[0] };
    screen.update(moment());
    return result;
  } finally {
    clearInterval(redrawing);
  }
}

async function startClient(kind: string, urls: readonly string[]): Promise<ChildProcess> {
  const client = startChild(CLIENT, [kind, ...urls]);
  await nextMessage<FromClient>(client);
  return client;
}

/** Lets a client make its calls, and takes down what it reports. */
async function follow(client: ChildProcess, load: ToClient, side: Side | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    client.on("message", (message: FromClient) => {
      if (message.kind === "report") side?.add(message);
      else if (message.kind === "done") resolve();
    });
    client.once("exit", (code) => reject(new Error(`a client of the demo ended early (${code})`)));
    client.send(load);
  });
}

/** Resolves to the fault with the times at which it came and was repaired in fact. */
async function bringAbout(fault: Fault, stage: Stage, startsAt: number): Promise<Fault> {
  await until(startsAt + fault.startsAtMs);
  const startsAtMs = sharedNow() - startsAt;
  await stage.put(fault.backend, fault.condition);
  await until(startsAt + fault.endsAtMs);
  await stage.put(fault.backend, "well");
  return { ...fault, startsAtMs, endsAtMs: sharedNow() - startsAt };
}

function until(sharedMs: number): Promise<void> {
  return sleep(Math.max(0, sharedMs - sharedNow()));
}
