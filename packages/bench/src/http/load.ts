import { collectYoungGarbage, measure } from "../measure/rounds.ts";

/** Makes one request and reads its body. */
export type Send = () => Promise<unknown>;

/** What a client did in a fraction of a second. */
export interface Slice {
  readonly perSecond: number;
  /** Processor time of this process, user and system, microseconds per request. */
  readonly cpuUs: number;
}

export interface SliceEffort {
  readonly rounds: number;
  readonly sliceMs: number;
  /** Into how many parts a slice is cut. */
  readonly parts: number;
}

/**
 * Slices of all variants, by `concurrency` callers that ask again as soon as they are answered. Within a round the
 * variants take turns of one part each, in changing order: a neighbour on the machine that comes or goes meets all alike.
 */
export async function slices<Name extends string>(
  variants: Readonly<Record<Name, Send>>,
  concurrency: number,
  { rounds, sliceMs, parts }: SliceEffort,
): Promise<Record<Name, Slice[]>> {
  const names = Object.keys(variants) as Name[];
  // Connections open, code is compiled.
  for (const name of [...names, ...names]) await partOf(variants[name], concurrency, sliceMs);
  const measured = await measure(names, rounds * parts, (name) => {
    collectYoungGarbage();
    return partOf(variants[name], concurrency, sliceMs / parts);
  });
  return Object.fromEntries(names.map((name) => [name, joined(measured[name], parts)])) as Record<Name, Slice[]>;
}

interface Part {
  readonly answers: number;
  readonly ms: number;
  readonly cpuUs: number;
}

async function partOf(send: Send, concurrency: number, ms: number): Promise<Part> {
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  let answers = 0;
  await inParallel(concurrency, async () => {
    do {
      await send();
      answers++;
    } while (performance.now() - startMs < ms);
  });
  const { user, system } = process.cpuUsage(startCpu);
  return { answers, ms: performance.now() - startMs, cpuUs: user + system };
}

/** Every `size` parts in a row are one slice. */
function joined(parts: readonly Part[], size: number): Slice[] {
  return Array.from({ length: parts.length / size }, (_, index) => {
    const own = parts.slice(index * size, (index + 1) * size);
    const sum = (value: (part: Part) => number): number => own.reduce((total, part) => total + value(part), 0);
    const answers = sum((part) => part.answers);
    return { perSecond: (answers * 1000) / sum((part) => part.ms), cpuUs: sum((part) => part.cpuUs) / answers };
  });
}

/** Exactly `count` requests. */
export async function requests(send: Send, concurrency: number, count: number): Promise<void> {
  let left = count;
  await inParallel(concurrency, async () => {
    while (left-- > 0) await send();
  });
}

async function inParallel(concurrency: number, caller: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: concurrency }, caller));
}
