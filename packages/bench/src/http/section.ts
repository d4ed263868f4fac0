import { firstMessage, startChild } from "../measure/isolated.ts";
import { bytes, type Loop } from "../measure/rounds.ts";
import { paired, type Spread, spread } from "../measure/statistics.ts";
import type { Target } from "../measure/target.ts";
import { fixed, withQuartiles } from "../report/format.ts";
import type { Section, SectionResult, Table, Thoroughness } from "../section.ts";
import { type Clients, createClients } from "./clients.ts";
import { type Comparison, comparisons } from "./comparisons.ts";
import { requests, type Send, type Slice, type SliceEffort, slices } from "./load.ts";

const BACKEND = new URL("backend.ts", import.meta.url);
const BACKENDS = 3;

interface HttpEffort extends SliceEffort {
  readonly bytesRounds: number;
  readonly bytesRequests: number;
}

const EFFORTS: Readonly<Record<Thoroughness, HttpEffort>> = {
  full: { rounds: 32, sliceMs: 250, parts: 5, bytesRounds: 9, bytesRequests: 4_000 },
  quick: { rounds: 2, sliceMs: 10, parts: 2, bytesRounds: 2, bytesRequests: 50 },
};

/** A variant in relation to the base of its comparison. */
interface Ratio {
  readonly perSecond: Spread;
  readonly cpu: Spread;
  readonly bytes: Spread | undefined;
}

export const httpSection: Section = { name: "http", run };

async function run(thoroughness: Thoroughness): Promise<SectionResult> {
  const effort = EFFORTS[thoroughness];
  const server = startChild(BACKEND, [String(BACKENDS)]);
  try {
    const ports = await firstMessage<readonly number[]>(server);
    const clients = createClients(ports.map((port) => `http://127.0.0.1:${port}`));
    const tables: Table[] = [];
    const targets: Target[] = [];
    for (const comparison of comparisons) {
      const compared = await compare(comparison, clients, effort);
      tables.push(compared.table);
      targets.push(...targetsOf(comparison, compared.ratios));
    }
    await clients.close();
    return { title: "HTTP against bare undici", method: method(effort), tables, targets };
  } finally {
    server.kill();
  }
}

function method({ rounds, sliceMs, parts, bytesRequests }: HttpEffort): string {
  return [
    `${BACKENDS} backends in a process of their own on loopback, which answer 1 KB at the least cost; the body is read with`,
    "`text()`. All variants of a table run in this process, in slices of",
    `${sliceMs} ms, cut into ${parts} parts that take turns in changing order, ${rounds} rounds; ratios are to the base in the`,
    "same round. Everything on: health checks, outlier detection with three detectors, a closed circuit breaker per backend and",
    `limits. Processor time is that of the client process. Bytes are what ${bytesRequests.toLocaleString("en-US")} requests allocate on the JavaScript heap, over the base.`,
  ].join(" ");
}

async function compare(
  { title, base, variants, concurrency, countBytes }: Comparison,
  clients: Clients,
  effort: HttpEffort,
): Promise<{ readonly table: Table; readonly ratios: ReadonlyMap<string, Ratio> }> {
  const sends = Object.fromEntries(variants.map((name) => [name, clients.send[name]])) as Record<string, Send>;
  const measured = await slices(sends, concurrency, effort);
  const allocated = countBytes ? await allocations(sends, concurrency, effort) : undefined;
  const baseSlices = measured[base] ?? [];
  const ratios = new Map(
    variants.map((name) => {
      const own = measured[name] ?? [];
      const perSecond = ratio(own, baseSlices, (slice) => slice.perSecond);
      const cpu = ratio(own, baseSlices, (slice) => slice.cpuUs);
      const over = allocated && paired(allocated[name] ?? [], allocated[base] ?? [], (value, bare) => value - bare);
      return [name, { perSecond, cpu, bytes: over }];
    }),
  );
  return { table: tableOf(title, base, measured, ratios), ratios };
}

function ratio(own: readonly Slice[], base: readonly Slice[], value: (slice: Slice) => number): Spread {
  return paired(own.map(value), base.map(value), (mine, bare) => mine / bare);
}

async function allocations(
  sends: Readonly<Record<string, Send>>,
  concurrency: number,
  { bytesRounds, bytesRequests }: HttpEffort,
): Promise<Readonly<Record<string, number[]>>> {
  const loops = Object.entries(sends).map(([name, send]): [string, Loop] => [
    name,
    (count) => requests(send, concurrency, count),
  ]);
  return bytes(Object.fromEntries(loops), { rounds: bytesRounds, roundMs: 0, allocations: bytesRequests });
}

function tableOf(
  title: string,
  base: string,
  measured: Readonly<Record<string, readonly Slice[]>>,
  ratios: ReadonlyMap<string, Ratio>,
): Table {
  const withBytes = ratios.get(base)?.bytes !== undefined;
  const rows = [...ratios].map(([name, { perSecond, cpu, bytes: over }]) => {
    const own = measured[name] ?? [];
    const isBase = name === base;
    return [
      name,
      fixed(spread(own.map((slice) => slice.perSecond)).median, 0),
      fixed(spread(own.map((slice) => slice.cpuUs)).median, 1),
      isBase ? "1" : withQuartiles(perSecond, 3),
      isBase ? "1" : withQuartiles(cpu, 3),
      ...(over === undefined ? [] : [isBase ? "0" : withQuartiles(over, 0)]),
    ];
  });
  const head = ["variant", "requests/s", "CPU µs", "requests/s ratio", "CPU ratio"];
  return { title, head: withBytes ? [...head, "bytes over base"] : head, rows };
}

function targetsOf({ against, goals, concurrency }: Comparison, ratios: ReadonlyMap<string, Ratio>): Target[] {
  return goals.flatMap(({ goal, variant, perSecond, cpu, bytes: limitBytes }) => {
    const measured = ratios.get(variant);
    if (measured === undefined) throw new Error(`no such variant: ${variant}`);
    const target = (
      quantity: string,
      bound: Target["limit"]["bound"],
      value: number | undefined,
      unit: string,
      values: Spread | undefined,
    ): Target[] =>
      value === undefined || values === undefined
        ? []
        : [
            {
              goal,
              what: `${variant}, ${concurrency} at a time: ${quantity}`,
              limit: { bound, value, unit },
              measured: values,
            },
          ];
    return [
      ...target(`requests/s over ${against}`, "at least", perSecond, "×", measured.perSecond),
      ...target(`CPU over ${against}`, "at most", cpu, "×", measured.cpu),
      ...target(`bytes over ${against}`, "at most", limitBytes, "B", measured.bytes),
    ];
  });
}
