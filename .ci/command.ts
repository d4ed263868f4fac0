import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

/** The root of the workspace, with a trailing slash. */
export const workspace = fileURLToPath(new URL("../", import.meta.url));

/** Ends what hangs, so that the other suites still report. A whole run is meant to take less than ten minutes. */
const TIME_LIMIT_MS = 600_000;

export interface CommandResult {
  readonly ok: boolean;
  /** stdout and stderr as they came, without colours. */
  readonly output: string;
}

/** Where tools put what they throw away. */
const temporary = `${workspace}node_modules/.cache/tmp`;

/** Tools keep their data in the workspace, report nothing home and look for no updates. */
const environment = {
  ...process.env,
  TMPDIR: temporary,
  DO_NOT_TRACK: "1",
  TURBO_TELEMETRY_DISABLED: "1",
  TURBO_NO_UPDATE_NOTIFIER: "1",
  NO_UPDATE_NOTIFIER: "1",
  NO_COLOR: "1",
  FORCE_COLOR: undefined,
};

/** Runs a tool of the workspace's node_modules/.bin, which pnpm put on the PATH. Never rejects. */
export function run(command: string, args: readonly string[], folder = workspace): Promise<CommandResult> {
  mkdirSync(temporary, { recursive: true });
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: folder,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // its own process group, so that a hanging tool is ended with its children
    });
    const parts: string[] = [];
    child.stdout.setEncoding("utf8").on("data", (text: string) => parts.push(text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => parts.push(text));
    const timer = setTimeout(() => {
      parts.push(`\n${command} was ended after ${TIME_LIMIT_MS / 1000} s.\n`);
      endGroup(child.pid);
    }, TIME_LIMIT_MS);
    const finish = (ok: boolean) => {
      clearTimeout(timer);
      resolve({ ok, output: stripVTControlCharacters(parts.join("")).trim() });
    };
    child.on("error", (error) => {
      parts.push(`${command}: ${error.message}\n`);
      finish(false);
    });
    child.on("close", (code) => finish(code === 0));
  });
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended by itself in the meantime.
  }
}
