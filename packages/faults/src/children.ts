import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

const children = new Set<ChildProcess>();

/** Starts a module in a Node process of its own, with the options of this one. */
export function startChild(module: URL, args: readonly string[]): ChildProcess {
  const child = fork(module, args, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: ["--conditions=@fairlead/source"],
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  // A message to a child that has just gone is lost; who waits for an answer notices.
  child.on("error", () => {});
  return child;
}

/** The next message of a child. Rejects if it ends first. */
export function nextMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown): void => {
      child.off("exit", onExit);
      resolve(message as T);
    };
    const onExit = (code: number | null, signal: string | null): void => {
      child.off("message", onMessage);
      reject(new Error(`a process ended before it answered (${signal ?? `code ${code}`})`));
    };
    child.once("message", onMessage);
    child.once("exit", onExit);
  });
}

/** Sends a message and waits for what the child answers. */
export function ask<T>(child: ChildProcess, message: object): Promise<T> {
  const answer = nextMessage<T>(child);
  child.send(message);
  return answer;
}

/** Ends a child at once, and waits until it has gone and its port is free. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** Ends every child at once: also one that is stopped, which would outlive this process. */
export function killChildren(): void {
  for (const child of children) child.kill("SIGKILL");
}
