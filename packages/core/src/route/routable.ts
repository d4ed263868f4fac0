/** What a router and an affinity go by: a request as its caller sees it. */
export interface RoutableRequest {
  /** In upper case. */
  readonly method: string;
  /** Host and, unless it is the scheme's own, port of the URL; in lower case. */
  readonly host: string;
  /** Of the URL: begins with a slash, without query. */
  readonly path: string;
  /** The query with its question mark; empty without one. */
  readonly search: string;
  /** The value of a header, all of them joined if there are several; `name` in lower case. */
  header(name: string): string | undefined;
  /** Whom the request is made for. `createForward` alone knows. */
  readonly clientIp?: string | undefined;
}
