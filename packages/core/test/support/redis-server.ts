import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** Whether tests can start a Redis server here. */
export function hasRedisServer(): boolean {
  try {
    execFileSync("redis-server", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A Redis server in a process of its own, which keeps nothing. */
export interface RedisServer {
  readonly port: number;
  /** Kills the process. */
  stop(): Promise<void>;
}

/** Resolves when it accepts connections. */
export async function startRedis(port?: number): Promise<RedisServer> {
  const at = port ?? (await freePort());
  const args = ["--port", String(at), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"];
  const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "pipe"] });
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  await ready(child);
  return {
    port: at,
    stop: async () => {
      process.off("exit", end);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

async function ready({ stdout }: ChildProcess): Promise<void> {
  if (stdout === null) throw new Error("redis-server has no output");
  const deadline = AbortSignal.timeout(10_000);
  let said = "";
  while (!said.includes("Ready to accept connections")) {
    const [chunk] = (await once(stdout, "data", { signal: deadline })) as [Buffer];
    said += chunk.toString();
  }
  stdout.resume();
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
