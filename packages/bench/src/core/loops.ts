import {
  type Attempt,
  type Balancer,
  type BalancerOptions,
  createBalancer,
  createRandom,
  type Report,
} from "@fairlead/core";
import type { Loop } from "../measure/rounds.ts";

const BACKENDS = Array.from({ length: 10 }, (_, i) => `http://10.0.0.${i + 1}:8080`);
const IN_FLIGHT = 100;
const ANSWER = { status: 200 };
const SUCCESS: Report = { outcome: "success" };
const OFF = { retry: false, attemptTimeoutMs: false, deadlineMs: false } as const;
const IDEMPOTENT = { idempotent: true };

type Stub = (attempt?: Attempt) => Promise<typeof ANSWER>;

function balancer(options: Partial<BalancerOptions> = {}): Balancer {
  return createBalancer({ name: "bench", backends: BACKENDS, random: createRandom(1), ...options });
}

function answerAtOnce(): Promise<typeof ANSWER> {
  return Promise.resolve(ANSWER);
}

function answerNextTurn(): Promise<typeof ANSWER> {
  return new Promise((resolve) => setImmediate(resolve, ANSWER));
}

/** One call after the other. Each loop is a function of its own, so that the optimiser sees each by itself. */
export function sequentialLoops(): Record<string, Loop> {
  const off = balancer(OFF);
  const defaults = balancer();
  return {
    stub: async (count) => {
      for (let i = 0; i < count; i++) await answerAtOnce();
    },
    "call, timeouts and retries off": async (count) => {
      for (let i = 0; i < count; i++) await off.call(answerAtOnce);
    },
    "call, defaults": async (count) => {
      for (let i = 0; i < count; i++) await defaults.call(answerAtOnce);
    },
    "call, defaults, idempotent": async (count) => {
      for (let i = 0; i < count; i++) await defaults.call(answerAtOnce, IDEMPOTENT);
    },
  };
}

/** A hundred callers at once, whose answers come in the next turn of the event loop. */
export function concurrentLoops(): Record<string, Loop> {
  const off = balancer(OFF);
  const defaults = balancer();
  const callOff: Stub = () => off.call(answerNextTurn);
  const callDefaults: Stub = () => defaults.call(answerNextTurn);
  return {
    stub: inParallel(answerNextTurn),
    "call, timeouts and retries off": inParallel(callOff),
    "call, defaults": inParallel(callDefaults),
  };
}

function inParallel(call: Stub): Loop {
  return async (count) => {
    let left = count;
    const caller = async (): Promise<void> => {
      while (left-- > 0) await call();
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
  };
}

export function leaseLoops(): Record<string, Loop> {
  const held = balancer();
  return {
    "tryAcquire, settle, release": (count) => {
      for (let i = 0; i < count; i++) {
        const lease = held.tryAcquire();
        lease?.settle(SUCCESS);
        lease?.release();
      }
    },
  };
}
