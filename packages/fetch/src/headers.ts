/** The headers of a `fetch`, with others set over them. */
export function withHeaders(headers: HeadersInit | undefined, more: Readonly<Record<string, string>>): Headers {
  const all = new Headers(headers);
  for (const [name, value] of Object.entries(more)) all.set(name, value);
  return all;
}

/** The value of a header in any form that `fetch` takes headers in, as `Headers` has it; `name` is in lower case. */
export function readHeader(headers: HeadersInit | undefined, name: string): string | undefined {
  if (headers === undefined) return undefined;
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  // A record is read as it is: making `Headers` of it would cost every request a microsecond.
  return Symbol.iterator in headers ? (new Headers(headers).get(name) ?? undefined) : readRecord(headers, name);
}

function readRecord(headers: Readonly<Record<string, string>>, name: string): string | undefined {
  let joined: string | undefined;
  for (const given in headers) {
    if (!isNamed(given, name) || !Object.hasOwn(headers, given)) continue;
    const value = String(headers[given]);
    // Space around it is no part of a value, and `Headers` knows what counts as such.
    if (value.trim() !== value) return new Headers(headers).get(name) ?? undefined;
    joined = joined === undefined ? value : `${joined}, ${value}`;
  }
  return joined;
}

/** Whether a header, written in any case, has that name; `name` is in lower case. */
export function isNamed(given: string, name: string): boolean {
  return given === name || (given.length === name.length && given.toLowerCase() === name);
}
