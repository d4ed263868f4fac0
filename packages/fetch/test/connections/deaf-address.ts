import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { onTestFinished } from "vitest";

/** Listens, and then sees to nothing any more: once its backlog is full, the kernel drops whoever knocks. */
const SCRIPT = `
  const server = require("node:net").createServer();
  server.listen(0, process.argv[1], 1, () => {
    require("node:fs").writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30_000);
  });
`;

/** A port of an address at which connections neither come about nor fail. */
export async function deafAddress(host: string): Promise<{ readonly port: number }> {
  const child = spawn(process.execPath, ["-e", SCRIPT, host], { stdio: ["ignore", "pipe", "inherit"] });
  const [printed] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(printed);
  const knocking = Array.from({ length: 8 }, () => connect(port, host).on("error", () => {}));
  onTestFinished(() => {
    child.kill("SIGKILL");
    for (const socket of knocking) socket.destroy();
  });
  return { port };
}
