import { type ChildProcess, fork } from "node:child_process";

const children = new Set<ChildProcess>();

/** Starts a module in a Node process of its own, with the options of this one. */
export function startChild(module: URL, args: readonly string[]): ChildProcess {
  const child = fork(module, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
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
      reject(new Error(`a process of the demo ended early (${signal ?? `code ${code}`})`));
    };
    child.once("message", onMessage);
    child.once("exit", onExit);
  });
}

/** Ends every child at once. Should this process die first, they end by themselves. */
export function killChildren(): void {
  for (const child of children) child.kill("SIGKILL");
}
