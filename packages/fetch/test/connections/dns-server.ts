import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";

/** Debian puts it where the PATH of most users does not lead. */
const program = ["dnsmasq", "/usr/sbin/dnsmasq"].find(isThere);

function isThere(name: string): boolean {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Whether tests can start a DNS server here. */
export const hasDnsServer: boolean = program !== undefined;

/** A DNS server in a process of its own. */
export interface DnsServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Knows `hostname` by `addresses`, for `ttl` seconds, and nothing else. Resolves when it answers. */
export async function startDns(
  hostname: string,
  addresses: readonly string[],
  ttl: number,
  at?: number,
): Promise<DnsServer> {
  const port = at ?? (await freePort());
  const child = spawn(
    program ?? "dnsmasq",
    [
      "--keep-in-foreground",
      "--conf-file=/dev/null",
      "--no-resolv",
      "--no-hosts",
      "--bind-interfaces",
      "--listen-address=127.0.0.1",
      `--port=${port}`,
      "--pid-file=",
      "--user=",
      "--log-facility=-",
      `--local-ttl=${ttl}`,
      ...addresses.map((address) => `--host-record=${hostname},${address}`),
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  await started(child);
  return {
    port,
    stop: async () => {
      process.off("exit", end);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** Listens without a break: what comes while nobody does is lost. */
function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("started")) resolve();
    });
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`dnsmasq has ended: ${said}`)));
  });
}

async function freePort(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}
