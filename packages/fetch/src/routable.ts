import type { RoutableRequest } from "@fairlead/core";

/** A request as routers and affinities see it. */
export class Routable implements RoutableRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly search: string;
  readonly clientIp: string | undefined;
  readonly #header: (name: string) => string | undefined;

  /** @param pathAndQuery as in a request line */
  constructor(
    method: string,
    host: string,
    pathAndQuery: string,
    header: (name: string) => string | undefined,
    clientIp?: string,
  ) {
    const query = pathAndQuery.indexOf("?");
    this.method = method.toUpperCase();
    this.host = host;
    this.path = query < 0 ? pathAndQuery : pathAndQuery.slice(0, query);
    this.search = query < 0 ? "" : pathAndQuery.slice(query);
    this.clientIp = clientIp;
    this.#header = header;
  }

  header(name: string): string | undefined {
    return this.#header(name);
  }
}

/** Reads what `fetch` takes for headers; they are looked at only if somebody asks. */
export function headerReader(headers: HeadersInit | undefined): (name: string) => string | undefined {
  let all: Headers | undefined;
  return (name) => {
    all ??= headers instanceof Headers ? headers : new Headers(headers);
    return all.get(name) ?? undefined;
  };
}

/** `host` or `host:port` of an origin. */
export function hostOf(origin: string): string {
  return origin.slice(origin.indexOf("//") + 2);
}
