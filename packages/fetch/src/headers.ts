/** The headers of a `fetch`, with others set over them. */
export function withHeaders(headers: HeadersInit | undefined, more: Readonly<Record<string, string>>): Headers {
  const all = new Headers(headers);
  for (const [name, value] of Object.entries(more)) all.set(name, value);
  return all;
}
