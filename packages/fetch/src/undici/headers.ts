import { isNamed } from "../headers.ts";
import type { DispatchOptions } from "./handler.ts";

type RequestHeaders = DispatchOptions["headers"];
type Value = string | number | readonly string[] | undefined;

/** The first value of a header in any form undici hands headers over; names are compared in lower case. */
export function headerOf(headers: unknown, name: string): string | undefined {
  if (typeof headers !== "object" || headers === null) return undefined;
  // Raw: names and values in turn.
  if (Array.isArray(headers)) {
    const at = headers.findIndex((item, index) => index % 2 === 0 && String(item).toLowerCase() === name);
    return at < 0 ? undefined : String(headers[at + 1]);
  }
  const value = (headers as Record<string, unknown>)[name];
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === "string" ? first : undefined;
}

/** A request's headers in a form that can be read for each attempt: an iterator is used up by the first. */
export function lastingHeaders(headers: RequestHeaders): RequestHeaders {
  return typeof headers === "object" && headers !== null && "next" in headers ? withHeaders(headers, {}) : headers;
}

/** The value of a request's header, however the caller wrote the headers down, joined as in `Headers`; `name` is in lower case. */
export function givenHeader(headers: RequestHeaders, name: string): string | undefined {
  if (headers === undefined || headers === null) return undefined;
  let joined: string | undefined;
  // Most are records, and are read without a list of their entries.
  if (!(Symbol.iterator in headers)) {
    for (const given in headers)
      if (isNamed(given, name) && Object.hasOwn(headers, given)) joined = join(joined, headers[given]);
  } else for (const [given, value] of entriesOf(headers)) if (isNamed(given, name)) joined = join(joined, value);
  return joined;
}

function join(joined: string | undefined, value: Value): string | undefined {
  if (value === undefined) return joined;
  const own = typeof value === "object" ? value.join(", ") : String(value);
  return joined === undefined ? own : `${joined}, ${own}`;
}

/** A request's headers with others set over them, names and values in turn; the names of `more` are in lower case. */
export function withHeaders(headers: RequestHeaders, more: Readonly<Record<string, string>>): string[] {
  const kept = entriesOf(headers).filter(([name]) => !Object.hasOwn(more, name.toLowerCase()));
  // undici takes lists for values here as well.
  return [...kept, ...Object.entries(more)].flatMap(([name, value]) => [name, value as string]);
}

/** undici takes headers as a list of names and values in turn, as pairs, and as a record. */
function entriesOf(headers: RequestHeaders): [string, Value][] {
  if (headers === undefined || headers === null) return [];
  if (Array.isArray(headers) && typeof headers[0] === "string") {
    const pairs: [string, Value][] = [];
    for (let index = 0; index < headers.length; index += 2) pairs.push([headers[index] as string, headers[index + 1]]);
    return pairs;
  }
  return Symbol.iterator in headers ? [...(headers as Iterable<[string, Value]>)] : Object.entries(headers);
}
