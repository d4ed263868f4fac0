import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { certificate } from "../../../fetch/test/support/certificate.ts";
import type { RuntimeReport } from "../../src/report.ts";
import type { Addresses } from "../../src/scene.ts";
import { bunBinary, chromiumBinary, denoBinary, nodes } from "./binaries.ts";
import { bundle, type Platform } from "./bundle.ts";
import { withoutNews } from "./old-browser.ts";

/** Somewhere the checks run. */
export interface Runtime {
  readonly name: string;
  /** Its column in the table of docs/runtimes.md. */
  readonly column: string;
  readonly isBrowser: boolean;
  /** Why it can't run here. */
  readonly missing: string | undefined;
  report(addresses: Addresses): Promise<RuntimeReport>;
}

const LIMIT_MS = 90_000;

export const runtimes: readonly Runtime[] = [
  ...Object.entries(nodes).map(([name, binary]) => inProcess(name, "Node", "node", binary, ["--expose-gc"])),
  inProcess("Bun", "Bun", "bun", bunBinary(), []),
  inProcess("Deno", "Deno", "deno", denoBinary(), [
    "run",
    "--quiet",
    "--v8-flags=--expose-gc",
    "--allow-net",
    "--allow-env",
    "--allow-read",
    "--unsafely-ignore-certificate-errors",
  ]),
  { name: "workerd", column: "workerd", isBrowser: false, missing: undefined, report: reportOfWorkerd },
  browser("Chromium", ""),
  browser("Chromium without what is newer than 103", withoutNews),
];

/** Where bundles lie while they run. */
const scratch = fileURLToPath(new URL("../../node_modules/.cache/", import.meta.url));

function inProcess(
  name: string,
  column: string,
  platform: Platform,
  binary: string | undefined,
  args: readonly string[],
): Runtime {
  const report = async (addresses: Addresses): Promise<RuntimeReport> => {
    mkdirSync(scratch, { recursive: true });
    const folder = mkdtempSync(`${scratch}${platform}-`);
    try {
      const file = `${folder}/checks.mjs`;
      writeFileSync(file, await bundle(platform, "entries/process.ts"));
      const { stdout } = await promisify(execFile)(binary ?? "", [...args, file, JSON.stringify(addresses)], {
        timeout: LIMIT_MS,
        // The certificate of the HTTP/2 server is its own.
        env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: "0", NODE_NO_WARNINGS: "1" },
      });
      return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as RuntimeReport;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  const missing =
    binary === undefined ? `there is no ${column} for this machine among the installed packages` : undefined;
  return { name, column, isBrowser: false, missing, report };
}

async function reportOfWorkerd(addresses: Addresses): Promise<RuntimeReport> {
  const script = await bundle("workerd", "entries/worker.ts");
  const { Miniflare } = await importMiniflare();
  const miniflare = new Miniflare({
    modules: true,
    script,
    compatibilityDate: COMPATIBILITY_DATE,
    // For opossum alone.
    compatibilityFlags: ["nodejs_compat"],
    cf: false,
    handleRuntimeStdio,
  });
  try {
    const body = JSON.stringify(addresses);
    const response = await miniflare.dispatchFetch("http://worker/", { method: "POST", body });
    return (await response.json()) as RuntimeReport;
  } finally {
    await miniflare.dispose();
  }
}

/** It lets workers trust what this names while it loads: the certificate of the HTTP/2 server. */
async function importMiniflare(): Promise<typeof import("miniflare")> {
  mkdirSync(scratch, { recursive: true });
  const file = `${scratch}certificate.pem`;
  writeFileSync(file, certificate);
  process.env["NODE_EXTRA_CA_CERTS"] = file;
  return import("miniflare");
}

/** workerd writes down every connection that fails, and these are to fail. */
export function handleRuntimeStdio(...outputs: readonly Readable[]): void {
  for (const output of outputs) output.resume();
}

/** What workerd does by default goes by this date. */
export const COMPATIBILITY_DATE = "2026-07-30";

function browser(name: string, before: string): Runtime {
  const executablePath = chromiumBinary();
  const report = async (addresses: Addresses): Promise<RuntimeReport> => {
    await using page = await servePage(await bundle("browser", "entries/page.ts"));
    const launched = await chromium.launch({
      executablePath: executablePath ?? "",
      args: ["--no-sandbox", "--ignore-certificate-errors", "--js-flags=--expose-gc"],
    });
    try {
      const tab = await launched.newPage();
      await tab.addInitScript(before);
      await tab.goto(page.url);
      await tab.waitForFunction("globalThis.report !== undefined");
      return await tab.evaluate((to) => globalThis.report(to), addresses);
    } finally {
      await launched.close();
    }
  };
  const missing = executablePath === undefined ? "there is no chromium (pnpm setup:servers installs it)" : undefined;
  return { name, column: "browsers", isBrowser: true, missing, report };
}

async function servePage(script: string): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
