import { isOneShot } from "../body.ts";

/** Whether a body that undici is given is gone once it was sent. */
export function isSentOnce(body: unknown): body is AsyncIterable<unknown> | Iterable<unknown> {
  return isOneShot(body) || isIterator(body) || isNodeStream(body);
}

/** As undici knows streams: `Readable` and whatever else can be piped. */
export function isNodeStream(body: unknown): body is NodeJS.ReadableStream {
  if (typeof body !== "object" || body === null) return false;
  const { pipe, on } = body as Partial<NodeJS.ReadableStream>;
  return typeof pipe === "function" && typeof on === "function";
}

/** Generators and other iterators are used up by the first who reads them; lists and forms are not. */
function isIterator(body: unknown): boolean {
  return typeof body === "object" && body !== null && Symbol.iterator in body && "next" in body;
}
