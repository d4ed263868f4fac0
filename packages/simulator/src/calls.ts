import { type Attempt, type CallOptions, classifyResult, FairleadError, type Report } from "@fairlead/core";
import type { ActiveClient } from "./clients.ts";
import { Exchange } from "./exchange.ts";
import { type CallEnd, ENDS } from "./samples.ts";
import type { Server } from "./server.ts";
import type { Traffic, TrafficContext } from "./traffic.ts";

/** Mode `call`: whole calls through `balancer.call`, with its retries, budgets, timeouts and queue. */
export class Calls implements Traffic {
  readonly #context: TrafficContext;
  open = 0;

  constructor(context: TrafficContext) {
    this.#context = context;
  }

  begin(client: ActiveClient, row: number, hashKey: string | undefined): void {
    const { clock, samples, idempotent } = this.#context;
    const startedMs = clock.now();
    const ended = (end: CallEnd): void => {
      this.open--;
      samples.calls.end(row, clock.now() - startedMs, end);
    };
    const options: CallOptions<Report> = { idempotent, hashKey, judge };
    this.open++;
    clock.touch();
    client.balancer
      .call((attempt) => this.#send(attempt, client, row, hashKey), options)
      .then(
        ({ outcome }) => ended(outcome === "success" ? ENDS.served : ENDS.failed),
        (error: unknown) => ended(isRefusal(error) ? ENDS.refused : ENDS.failed),
      );
  }

  #send(attempt: Attempt, { zone }: ActiveClient, row: number, hashKey: string | undefined): Promise<Report> {
    const { clock, fleet, samples } = this.#context;
    const instance = fleet.get(attempt.backend.id);
    if (instance === undefined) return Promise.reject(new Error(`no backend ${attempt.backend.id}`));
    const { index, group, server } = instance;
    samples.attempts.begin(row, clock.now(), index, zone !== undefined && zone === group.zone, hashKey);
    return new Promise((resolve, reject) => {
      const call = new CallExchange(this.#context, server, resolve, reject);
      attempt.onAbort(call);
      server.receive(call);
    });
  }
}

/** An answer is its own verdict; of errors the core knows best. */
function judge(result: Parameters<typeof classifyResult>[0]): Report {
  return result.failed ? classifyResult(result) : (result.value as Report);
}

function isRefusal(error: unknown): boolean {
  return error instanceof FairleadError && error.code === "FAIRLEAD_ERR_NO_BACKEND";
}

/** What a client's socket reports. */
class ConnectionError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

class CallExchange extends Exchange {
  readonly #context: TrafficContext;
  readonly #resolve: (answer: Report) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    context: TrafficContext,
    server: Server,
    resolve: (answer: Report) => void,
    reject: (error: unknown) => void,
  ) {
    super(server, context.clock, 2 * context.networkMs);
    this.#context = context;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** After `abort` this does nothing: the promise has settled. */
  protected answered(answer: Report): void {
    this.#context.clock.touch();
    if (answer.errorCode === undefined) this.#resolve(answer);
    else this.#reject(new ConnectionError(answer.errorCode));
  }

  /** The balancer has given the attempt up. The server is not told: it works on. */
  abort(reason: unknown): void {
    this.#context.clock.touch();
    this.#reject(reason);
  }
}
