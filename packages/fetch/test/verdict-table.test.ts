// Every row of docs/verdicts.md, as it runs.
import { readFileSync } from "node:fs";
import { type Attempt, createBalancer, first, type Outcome, peakEwma } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import { createFetch, type Transport } from "../src/index.ts";

const text = readFileSync(new URL("../../../docs/verdicts.md", import.meta.url), "utf8");

const cells = (line: string): string[] =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());

/** The rows of the table whose first column has this title, by the titles of its columns. */
function rowsOf(title: string): readonly Readonly<Record<string, string>>[] {
  const lines = text.split("\n");
  const head = lines.findIndex((line) => new RegExp(`^\\| ${title} +\\|`).test(line));
  const titles = cells(lines[head] ?? "");
  const end = lines.findIndex((line, index) => index > head && !line.startsWith("|"));
  return lines.slice(head + 2, end).map((line) => Object.fromEntries(cells(line).map((cell, i) => [titles[i], cell])));
}

const quoted = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);

/** The codes of a cell: those it names, or those of the group that it names, which has an item in the list. */
function codesOf(cell = ""): string[] {
  const [, group] = /^_([a-z' A-Z]+)_/.exec(cell) ?? [];
  if (group === undefined) return quoted(cell);
  const codes = quoted(text.split(/\n+- |\n\n/).find((item) => item.startsWith(`_${group}_`)));
  expect(codes.length).toBeGreaterThan(2);
  return codes;
}

/** What becomes of calls to a backend that does this, while another one answers. */
interface Fate {
  readonly outcome: Outcome | undefined;
  readonly counts: string;
  readonly charged: string;
  readonly paused: string;
  readonly GET: string;
  readonly POST: string;
}

type Behave = (attempt: Attempt) => Promise<Response>;

async function fateOf(behave: Behave, retry: { rateLimitScope?: "backend" } = {}): Promise<Fate> {
  const { report, paused } = await verdictOf(behave);
  return {
    ...report,
    paused,
    counts: await ejects(behave),
    GET: await repeated("GET", behave, retry),
    POST: await repeated("POST", behave, retry),
  };
}

const OUTCOMES = {
  success: "successes",
  failure: "failures",
  overload: "overloads",
  unreached: "unreached",
  ignored: "ignored",
} as const;

/** A balancer over a backend that behaves so and one that answers, and what it takes to make calls. */
function arrange(behave: Behave, options: object) {
  const clock = virtualClock();
  const visits: string[] = [];
  const balancer = createBalancer({
    name: "orders",
    clock,
    random: { next: () => 0.5 },
    backends: [
      { url: "http://a.test", id: "a" },
      { url: "http://b.test", id: "b", priority: 1 },
    ],
    strategy: first(),
    attemptTimeoutMs: 500,
    ...options,
  });
  const transport: Transport = async (_url, _init, attempt) => {
    visits.push(attempt.backend.id);
    return attempt.backend.id === "a" ? behave(attempt) : new Response("from b");
  };
  const call = async (method: string): Promise<void> => {
    const ended = createFetch(balancer, { fetch: transport })("/", { method }).then(
      (response) => response.status,
      () => 0,
    );
    await clock.advance(1_000);
    await ended;
  };
  return { balancer, visits, call };
}

async function verdictOf(behave: Behave): Promise<{ report: Pick<Fate, "outcome" | "charged">; paused: string }> {
  const options = { backends: [{ url: "http://a.test", id: "a" }], strategy: peakEwma(), retry: false };
  const { balancer, call } = arrange(behave, options);
  await call("GET");
  const [backend] = balancer.snapshot().backends;
  const outcomes = (Object.keys(OUTCOMES) as Outcome[]).filter((outcome) => backend?.[OUTCOMES[outcome]] === 1);
  expect(outcomes).toHaveLength(1);
  // A failure is charged with a second at least, and what takes half a second is not charged with more than that.
  const charged = (backend?.ewmaMs ?? 0) >= 900 ? "yes" : "no";
  const paused = backend?.health === "paused" ? "yes" : "no";
  await balancer.close();
  return { report: { outcome: outcomes[0], charged }, paused };
}

async function ejects(behave: Behave): Promise<string> {
  const { balancer, call } = arrange(behave, { retry: false, pauseLimitMs: 0, requeueBudget: false });
  for (let i = 0; i < 5; i++) await call("GET");
  const { ejections = 0 } = balancer.snapshot().backends[0] ?? {};
  await balancer.close();
  return ejections > 0 ? "yes" : "no";
}

async function repeated(method: string, behave: Behave, retry: object): Promise<string> {
  const { balancer, visits, call } = arrange(behave, { retry: { limit: 2, ...retry } });
  let delayMs = 0;
  balancer.on("attemptRetried", (record) => {
    delayMs = record.delayMs;
  });
  await call(method);
  await balancer.close();
  if (visits.length === 1) return "no";
  expect(visits).toEqual(["a", "b"]);
  return delayMs > 0 ? "elsewhere, back-off" : "elsewhere, at once";
}

const covers = (pattern: string, status: number): boolean =>
  pattern === String(status) || pattern === `${String(status)[0]}xx`;
const ranks = (row: Readonly<Record<string, string>>, status: number): number =>
  quoted(row["status"]).includes(String(status)) ? 2 : 1;
const answer =
  (status: number, headers: Record<string, string> = {}) =>
  (): Promise<Response> =>
    Promise.resolve(new Response(null, { status, headers }));

describe("statuses", () => {
  const rows = rowsOf("status");

  // What is about a header or an option says more than the status alone.
  const plain = rows.filter((row) => !/ with /.test(row["status"] ?? ""));

  test("all have a row", () => {
    expect(plain.length).toBeGreaterThan(5);
    for (let status = 200; status < 600; status++)
      expect(plain.some((row) => quoted(row["status"]).some((pattern) => covers(pattern, status)))).toBe(true);
  });

  for (let status = 200; status < 600; status++) {
    const [row] = plain
      .filter((candidate) => quoted(candidate["status"]).some((pattern) => covers(pattern, status)))
      .toSorted((a, b) => ranks(b, status) - ranks(a, status));
    // One of each hundred, and all that are named, tell enough of a run; the outcome is asked for all.
    if (status % 50 !== 0 && !rows.some((other) => quoted(other["status"]).includes(String(status)))) continue;
    test(`${status} is as the table says`, async () => {
      expect(await fateOf(answer(status))).toEqual(expectedOf(row));
    });
  }

  for (const row of rows.filter((candidate) => !plain.includes(candidate))) {
    for (const status of quoted(row["status"]).filter((word) => /^\d/.test(word)))
      test(`${row["status"]}: ${status} is as the table says`, async () => {
        const retryAfter = /Retry-After/.test(row["status"] ?? "") ? { "retry-after": "20" } : {};
        const retry = /rateLimitScope/.test(row["status"] ?? "") ? { rateLimitScope: "backend" as const } : {};
        const fate = await fateOf(answer(Number(status), retryAfter), retry);
        const without = await fateOf(answer(Number(status)));
        expect(fate).toEqual(row["GET"] === "as without" ? { ...expectedOf(row), GET: without.GET } : expectedOf(row));
      });
  }
});

/** What a row says, for a table without a column "paused" as well. */
function expectedOf(row: Readonly<Record<string, string>> = {}): Fate {
  const { counts = "", charged = "", paused = "no", GET = "", POST = "" } = row;
  return { outcome: quoted(row["outcome"])[0] as Outcome, counts, charged, paused, GET, POST };
}

describe("errors", () => {
  const rows = rowsOf("error");

  test("that the code knows by name have a row", () => {
    const documented = new Set(rows.flatMap((row) => codesOf(row["error"])));
    for (const file of ["../../core/src/call/classifier.ts", "../src/classify.ts"]) {
      const source = readFileSync(new URL(file, import.meta.url), "utf8");
      const codes = [...source.matchAll(/^ {2}"([A-Z\d_]+)",$/gm)].map(([, code]) => code);
      expect(codes.length).toBeGreaterThan(5);
      expect(codes.filter((code) => !documented.has(code ?? ""))).toEqual([]);
    }
  });

  for (const row of rows) {
    for (const code of codesOf(row["error"]))
      for (const sent of sendings(row["sent"]))
        test(`${code} ${row["and"]}, sent: ${sent ?? "unknown"}, is as the table says`, async () => {
          expect(await fateOf(failing(code, row["and"] ?? "", sent))).toEqual(expectedOf(row));
        });
  }
});

function sendings(cell: string | undefined): readonly (boolean | undefined)[] {
  const known = { no: [false], "yes or unknown": [true, undefined], any: [true, false, undefined] };
  expect(Object.keys(known)).toContain(cell);
  return known[cell as keyof typeof known];
}

function failing(code: string, and: string, sent: boolean | undefined): Behave {
  const [word] = quoted(and);
  const socket = / bytes written/.test(and) ? { socket: { bytesWritten: Number.parseInt(and, 10) } } : {};
  const named = /^[A-Z\d_/]+$/.test(code) ? { code } : { name: code };
  const syscall = and.startsWith("syscall") ? { syscall: word } : {};
  const message = and.startsWith("message") && word !== undefined ? word : "it broke";
  return (attempt) => {
    if (sent === false) attempt.markSent(false);
    if (sent === true) attempt.markSent();
    if (code === "FAIRLEAD_ERR_TIMEOUT") return new Promise((_, reject) => attempt.onAbort(reject));
    const cause = Object.assign(new Error(message), named, syscall, socket);
    return Promise.reject(new TypeError("fetch failed", { cause }));
  };
}
