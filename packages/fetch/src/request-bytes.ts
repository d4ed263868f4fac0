import type { Balancer, FairleadError } from "@fairlead/core";
import { blameNobody } from "./classify.ts";
import type { Addressed } from "./outgoing.ts";

/** How long the body of a request may be. */
export interface ByteLimit {
  readonly max: number;
  /** The error of a body that is longer; each call counts as one request turned away. */
  error(): FairleadError;
}

export function byteLimit(balancer: Balancer, max: number | undefined): ByteLimit | undefined {
  if (max === undefined) return undefined;
  return {
    max,
    error: () => {
      const error = balancer.shed("request-bytes", `the body is longer than maxRequestBytes (${max})`);
      // No backend has to do with it, and no other would take it.
      blameNobody(error);
      return error;
    },
  };
}

/**
 * Holds a request to `max` bytes.
 *
 * @throws FairleadError `FAIRLEAD_ERR_LIMIT` if it is known to be longer
 */
export function limitBody({ init, oneShot, made, to }: Addressed, max: number): void {
  const limit = byteLimit(to.balancer, max);
  refuseLongBody(limit, init.headers, init.body);
  const body = made ?? oneShot;
  if (body !== undefined) body.limit = limit;
}

/**
 * Refuses a body that is known to be too long before it is read.
 *
 * @throws FairleadError `FAIRLEAD_ERR_LIMIT`
 */
export function refuseLongBody(limit: ByteLimit | undefined, headers: unknown, body: unknown): void {
  if (limit === undefined) return;
  if (Number(contentLength(headers)) > limit.max || isLonger(body, limit.max)) throw limit.error();
}

/** Whether a body is longer than `max` bytes, as far as can be known without reading it. */
function isLonger(body: unknown, max: number): boolean {
  if (typeof body === "string") return isTextLonger(body, max);
  if (typeof body !== "object" || body === null) return false;
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return body.byteLength > max;
  // By name: there is more than one class of each, undici's own among them.
  const kind = Object.prototype.toString.call(body);
  if (kind === "[object Blob]" || kind === "[object File]") return (body as Blob).size > max;
  // Nothing but ASCII is left in it.
  if (kind === "[object URLSearchParams]") return (body as URLSearchParams).toString().length > max;
  return kind === "[object FormData]" && isFormLonger(body as FormData, max);
}

/** A character takes one to three bytes of UTF-8: mostly the number of characters decides. */
function isTextLonger(text: string, max: number): boolean {
  return text.length > max || (text.length * 3 > max && bytesOf(text) > max);
}

/** Its names and values; what the envelope takes is not known before it is made. */
function isFormLonger(form: FormData, max: number): boolean {
  let bytes = 0;
  for (const [name, value] of form) bytes += bytesOf(name) + (typeof value === "string" ? bytesOf(value) : value.size);
  return bytes > max;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** In any form that `fetch` and undici take headers in. */
function contentLength(headers: unknown): unknown {
  if (typeof headers !== "object" || headers === null) return undefined;
  if ("get" in headers && typeof headers.get === "function") return (headers as Headers).get("content-length");
  for (const [name, value] of pairs(headers)) if (String(name).toLowerCase() === "content-length") return value;
  return undefined;
}

function* pairs(headers: object): Iterable<readonly unknown[]> {
  if (!(Symbol.iterator in headers)) yield* Object.entries(headers);
  else {
    const items = [...(headers as Iterable<unknown>)];
    // Names and values in turn, or in pairs.
    for (let index = 0; index < items.length; index++) {
      const item = items[index];
      yield Array.isArray(item) ? item : [item, items[++index]];
    }
  }
}

/** Counts the body of one attempt while it is sent. */
export class BodyMeter {
  readonly #limit: ByteLimit;
  #bytes = 0;

  constructor(limit: ByteLimit) {
    this.#limit = limit;
  }

  /** The error that ends the attempt, as soon as its body is too long. */
  count(chunk: string | Uint8Array): FairleadError | undefined {
    this.#bytes += typeof chunk === "string" ? bytesOf(chunk) : chunk.byteLength;
    return this.#bytes > this.#limit.max ? this.#limit.error() : undefined;
  }
}
