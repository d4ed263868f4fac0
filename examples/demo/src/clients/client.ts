// One side of the comparison, a process of its own: makes calls at a steady rate and reports them to its parent.
// Arguments: the kind of caller, the URLs of the backends.
import { type CallRecord, liveWithParent, sharedNow, type ToClient, tellParent } from "../messages.ts";
import { balancedPoolCaller } from "./balanced-pool-caller.ts";
import type { Caller } from "./caller.ts";
import { fairleadCaller } from "./fairlead-caller.ts";
import { openLoop } from "./open-loop.ts";

const PATH = "/v1/orders/7";
const REPORT_EVERY_MS = 200;
/** By each of four callers at once. */
const WARM_UP_CALLS = 100;

const [kind, ...urls] = process.argv.slice(2);
const createCaller = kind === "fairlead" ? fairleadCaller : balancedPoolCaller;

/** Gets the code of both ends compiled, through a caller that is thrown away: a service that has just started is slow. */
async function warmUp(): Promise<void> {
  const caller = createCaller(urls);
  const warmLoop = async (): Promise<void> => {
    for (let i = 0; i < WARM_UP_CALLS; i++) await caller.call(PATH);
  };
  await Promise.all(urls.map(warmLoop));
  await caller.close();
}

/** Makes one call that was due at `atMs`. */
async function call(startsAt: number, atMs: number): Promise<CallRecord> {
  let failed = true;
  try {
    failed = (await caller.call(PATH)) >= 500;
  } catch {
    // Counted as failed.
  }
  return { atMs, ms: sharedNow() - startsAt - atMs, failed };
}

async function run(load: ToClient): Promise<void> {
  let calls: CallRecord[] = [];
  const report = (): void => {
    tellParent({ kind: "report", atMs: sharedNow() - load.startsAt, calls, backends: caller.figures() });
    calls = [];
  };
  const reporting = setInterval(report, REPORT_EVERY_MS);
  const open: Promise<unknown>[] = [];
  await openLoop(load, (atMs) => {
    const made = call(load.startsAt, atMs).then((record) => calls.push(record));
    open.push(made);
  });
  await Promise.all(open);
  clearInterval(reporting);
  report();
  tellParent({ kind: "done" });
  await caller.close();
}

liveWithParent();
await warmUp();
const caller: Caller = createCaller(urls);
process.on("message", (message: ToClient) => void run(message));
tellParent({ kind: "ready" });
