import type { ChildProcess } from "node:child_process";
import { nextMessage, startChild } from "../children.ts";
import type { FromBackend, ToBackend } from "../messages.ts";
import type { Condition } from "../scenario.ts";

const BACKEND = new URL("backend.ts", import.meta.url);

/** Real backends in processes of their own, which can be made to fail. */
export class BackendSet {
  readonly #seed: number;
  readonly #processes: ChildProcess[];
  readonly #ports: readonly number[];

  private constructor(seed: number, processes: ChildProcess[], ports: readonly number[]) {
    this.#seed = seed;
    this.#processes = processes;
    this.#ports = ports;
  }

  /** Backend `n` of every set with the same seed takes the same service times. */
  static async start(count: number, seed: number): Promise<BackendSet> {
    const processes = Array.from({ length: count }, (_, index) => startBackend(0, seed + index));
    const ports = await Promise.all(processes.map(listening));
    return new BackendSet(seed, processes, ports);
  }

  get urls(): readonly string[] {
    return this.#ports.map((port) => `http://127.0.0.1:${port}`);
  }

  /** Resolves when the backend is in that condition; one that was killed comes back on the same port. */
  async put(index: number, condition: Condition): Promise<void> {
    const backend = this.#processes[index];
    if (backend === undefined) throw new RangeError(`there is no backend ${index}`);
    if (condition === "killed") backend.kill("SIGKILL");
    else if (backend.killed) await this.#restart(index);
    else backend.send({ kind: "condition", condition } satisfies ToBackend);
  }

  async #restart(index: number): Promise<void> {
    const backend = startBackend(this.#ports[index] ?? 0, this.#seed + index);
    this.#processes[index] = backend;
    await listening(backend);
  }
}

function startBackend(port: number, seed: number): ChildProcess {
  return startChild(BACKEND, [String(port), String(seed)]);
}

async function listening(backend: ChildProcess): Promise<number> {
  return (await nextMessage<FromBackend>(backend)).port;
}
