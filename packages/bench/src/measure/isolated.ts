import { type ChildProcess, fork } from "node:child_process";

/** Starts a module in a Node process of its own, with the options of this one. */
export function startChild(module: URL, args: readonly string[] = []): ChildProcess {
  return fork(module, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
}

/** The first message of a child. Rejects if it ends before. */
export function firstMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once("message", (message) => resolve(message as T));
    child.once("error", reject);
    child.once("exit", (code, signal) => reject(new Error(`a measuring process ended early (${signal ?? code})`)));
  });
}

/** What a module measures in a process of its own, where the optimiser has seen nothing else. */
export async function isolated<T>(module: URL, args: readonly string[]): Promise<T> {
  const child = startChild(module, args);
  try {
    return await firstMessage<T>(child);
  } finally {
    child.kill();
  }
}
