import { circuitBreaker } from "@fairlead/breaker";
import {
  type Attempt,
  type Balancer,
  type BalancerOptions,
  createBalancer,
  createRandom,
  FairleadError,
  type Report,
} from "@fairlead/core";
import { everythingOn, UNARMED } from "../everything-on.ts";
import type { Loop } from "../measure/rounds.ts";

const BACKENDS = Array.from({ length: 10 }, (_, i) => `http://10.0.0.${i + 1}:8080`);
const IN_FLIGHT = 100;
const ANSWER = { status: 200 };
const SUCCESS: Report = { outcome: "success" };
/** The variant that has a target. */
export const EVERYTHING_ON = "call, everything on, timeouts and retries off";
const EVERYTHING_ARMED = "call, everything on, retries and deadline armed too";
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
  const off = balancer(UNARMED);
  const defaults = balancer();
  const on = balancer({ ...everythingOn(), ...UNARMED });
  const armed = balancer(everythingOn());
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
    [EVERYTHING_ON]: async (count) => {
      for (let i = 0; i < count; i++) await on.call(answerAtOnce);
    },
    [EVERYTHING_ARMED]: async (count) => {
      for (let i = 0; i < count; i++) await armed.call(answerAtOnce, IDEMPOTENT);
    },
  };
}

/** A hundred callers at once, whose answers come in the next turn of the event loop. */
export function concurrentLoops(): Record<string, Loop> {
  const off = balancer(UNARMED);
  const defaults = balancer();
  const on = balancer({ ...everythingOn(), ...UNARMED });
  const armed = balancer(everythingOn());
  const callOff: Stub = () => off.call(answerNextTurn);
  const callDefaults: Stub = () => defaults.call(answerNextTurn);
  const callOn: Stub = () => on.call(answerNextTurn);
  const callArmed: Stub = () => armed.call(answerNextTurn, IDEMPOTENT);
  return {
    stub: inParallel(answerNextTurn),
    "call, timeouts and retries off": inParallel(callOff),
    "call, defaults": inParallel(callDefaults),
    [EVERYTHING_ON]: inParallel(callOn),
    [EVERYTHING_ARMED]: inParallel(callArmed),
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

/** What gets no answer from a stub: leases by hand, and calls that an open breaker turns away. */
export function stublessLoops(): Record<string, Loop> {
  const held = balancer();
  const open = balancerWithOpenBreakers();
  return {
    "tryAcquire, settle, release": (count) => {
      for (let i = 0; i < count; i++) {
        const lease = held.tryAcquire();
        lease?.settle(SUCCESS);
        lease?.release();
      }
    },
    "call, rejected, the breakers of all backends open": async (count) => {
      for (let i = 0; i < count; i++) {
        try {
          await open.call(answerAtOnce);
          refused(undefined);
        } catch (error) {
          refused(error);
        }
      }
    },
  };
}

function balancerWithOpenBreakers(): Balancer {
  const breaker = circuitBreaker();
  const open = balancer({ ...UNARMED, breaker });
  for (const { id } of open.backends) breaker.isolate(open.name, id);
  return open;
}

function refused(error: unknown): void {
  if (!(error instanceof FairleadError) || error.code !== "FAIRLEAD_ERR_CIRCUIT_OPEN") {
    throw new Error("a call was not turned away by an open breaker", { cause: error });
  }
}
