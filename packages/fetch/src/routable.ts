import type { RoutableRequest } from "@fairlead/core";

/** A request as routers and affinities see it. */
export class Routable<H> implements RoutableRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly search: string;
  readonly clientIp: string | undefined;
  readonly #headers: H;
  readonly #read: (headers: H, name: string) => string | undefined;

  /**
   * @param pathAndQuery as in a request line
   * @param read looks for a header; not before somebody asks
   */
  constructor(
    method: string,
    host: string,
    pathAndQuery: string,
    headers: H,
    read: (headers: H, name: string) => string | undefined,
    clientIp?: string,
  ) {
    const query = pathAndQuery.indexOf("?");
    this.method = method.toUpperCase();
    this.host = host;
    this.path = query < 0 ? pathAndQuery : pathAndQuery.slice(0, query);
    this.search = query < 0 ? "" : pathAndQuery.slice(query);
    this.clientIp = clientIp;
    this.#headers = headers;
    this.#read = read;
  }

  header(name: string): string | undefined {
    return this.#read(this.#headers, name);
  }
}

/** `host` or `host:port` of an origin. */
export function hostOf(origin: string): string {
  return origin.slice(origin.indexOf("//") + 2);
}
