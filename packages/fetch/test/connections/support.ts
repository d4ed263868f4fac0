import type { Balancer } from "@fairlead/core";
import { expect, vi } from "vitest";
import { type ConnectionStats, connectionStats, type Resolution, type ResolveName } from "../../src/undici/index.ts";

/** The connections to the first backend. */
export function statsOf(balancer: Balancer): ConnectionStats {
  const [stats] = Object.values(connectionStats(balancer));
  if (stats === undefined) throw new Error("there were no connections yet");
  return stats;
}

/** Waits, in real time, until the first backend's connections are as they should. */
export async function untilStats(balancer: Balancer, wanted: Partial<ConnectionStats>): Promise<void> {
  await vi.waitFor(() => expect(statsOf(balancer)).toMatchObject(wanted), { timeout: 3_000, interval: 2 });
}

/** A resolver that says what it is told to, and counts the questions. */
export interface ScriptedNames {
  readonly resolve: ResolveName;
  readonly asked: string[];
  answer: Resolution | Error;
}

export function scriptedNames(answer: Resolution | Error): ScriptedNames {
  const asked: string[] = [];
  const names: ScriptedNames = {
    asked,
    answer,
    resolve: async (hostname) => {
      asked.push(hostname);
      if (names.answer instanceof Error) throw names.answer;
      return names.answer;
    },
  };
  return names;
}
