import type { Fairlead } from "fairlead";
import { BACKEND_HEADER } from "../backends/conditions.ts";
import { openLoop, type Pace } from "./open-loop.ts";

/** One safe call as its caller saw it. Times are those of `performance.now()`. */
export interface CallRecord {
  readonly path: string;
  readonly dueMs: number;
  /** To the end of the body. */
  readonly endMs: number;
  /** The number of the backend that answered; `undefined` if the call was rejected. */
  readonly backend: number | undefined;
  /** It was rejected, or its answer was a 5xx. */
  readonly lost: boolean;
  /** The status, or what the error says. */
  readonly what: string;
}

let calls = 0;

/** Makes one call, by a path of its own, so that its requests can be told from others on the wire. */
async function call(orders: Fairlead, dueMs: number): Promise<CallRecord> {
  const path = `/v1/orders/${++calls}`;
  try {
    const response = await orders.fetch(path);
    await response.text();
    const backend = Number(response.headers.get(BACKEND_HEADER));
    const { status } = response;
    return { path, dueMs, endMs: performance.now(), backend, lost: status >= 500, what: String(status) };
  } catch (error) {
    return { path, dueMs, endMs: performance.now(), backend: undefined, lost: true, what: reasonOf(error) };
  }
}

/** Makes calls at a steady pace. Resolves when all of them have ended. */
export async function makeCalls(orders: Fairlead, pace: Pace): Promise<readonly CallRecord[]> {
  const made: Promise<CallRecord>[] = [];
  await openLoop(pace, (dueMs) => made.push(call(orders, dueMs)));
  return Promise.all(made);
}

/** The code of what is behind it, which is what the calls of a table are grouped by. */
function reasonOf(error: unknown): string {
  for (let current = error; typeof current === "object" && current !== null; ) {
    const { code, cause } = current as { readonly code?: unknown; readonly cause?: unknown };
    if (typeof code === "string") return code;
    current = cause;
  }
  return String(error);
}
