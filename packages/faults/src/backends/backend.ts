import type { ChildProcess } from "node:child_process";
import { connect } from "node:net";
import { ask, kill, nextMessage, startChild } from "../children.ts";
import type { Condition, Count, FromBackend, Listening, Order } from "./conditions.ts";

const PROCESS = new URL("backend-process.ts", import.meta.url);
/** A connection on loopback that has not come about by then has had its SYN dropped. */
const DROPPED_AFTER_MS = 200;

/** A real backend in a process of its own, which can be made to fail. */
export class Backend {
  readonly number: number;
  readonly port: number;
  #process: ChildProcess;
  #spare: ChildProcess | undefined;
  #condition: Condition = "well";

  private constructor(number: number, port: number, process: ChildProcess) {
    this.number = number;
    this.port = port;
    this.#process = process;
  }

  static async start(number: number): Promise<Backend> {
    const process = await startProcess(number);
    const { port } = await ask<Listening>(process, { kind: "listen", port: 0, condition: "well" } satisfies Order);
    return new Backend(number, port, process);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts the process that takes over from one that is killed: to start one under load would be a fault of its own. */
  async prepareRestart(): Promise<void> {
    this.#spare ??= await startProcess(this.number);
  }

  /** Resolves when the backend is in that condition; one that was killed comes back on the same port. */
  async put(condition: Condition): Promise<void> {
    const before = this.#condition;
    this.#condition = condition;
    if (condition === "killed") await kill(this.#process);
    else if (condition === "stopped") this.#process.kill("SIGSTOP");
    else if (condition === "starting") await this.#restart(condition);
    else if (before === "killed") await this.#restart(condition);
    else {
      if (before === "stopped" || before === "deaf") this.#process.kill("SIGCONT");
      await ask<FromBackend>(this.#process, { kind: "be", condition } satisfies Order);
      if (condition === "deaf") await mustNotConnect(this.port);
    }
  }

  /** How many requests have reached it since it started. */
  async requests(): Promise<number> {
    const { requests } = await ask<Count>(this.#process, { kind: "count" } satisfies Order);
    return requests;
  }

  async end(): Promise<void> {
    await kill(this.#process);
    if (this.#spare !== undefined) await kill(this.#spare);
  }

  async #restart(condition: Condition): Promise<void> {
    await kill(this.#process);
    this.#process = this.#spare ?? (await startProcess(this.number));
    this.#spare = undefined;
    await ask<Listening>(this.#process, { kind: "listen", port: this.port, condition } satisfies Order);
  }
}

async function startProcess(number: number): Promise<ChildProcess> {
  const process = startChild(PROCESS, [String(number)]);
  await nextMessage<FromBackend>(process);
  return process;
}

/** Rejects if a connection comes about, or is refused: then the fault is not what it claims to be. */
function mustNotConnect(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    const dropped = setTimeout(() => {
      socket.destroy();
      resolve();
    }, DROPPED_AFTER_MS);
    const failed = (what: string): void => {
      clearTimeout(dropped);
      socket.destroy();
      reject(new Error(`a connection to a backend that drops every SYN ${what}`));
    };
    socket.on("connect", () => failed("came about"));
    socket.on("error", () => failed("failed at once"));
  });
}
