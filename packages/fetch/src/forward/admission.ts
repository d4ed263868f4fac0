import { RefusedError } from "./refused.ts";

/** Methods that no `fetch` sends (Fetch standard, "forbidden method"): TRACE shows what is secret, CONNECT is for proxies. */
export const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/**
 * Whether a backend, or a server in it, could take a path for one outside its prefix, or for more than a path: dot segments
 * that only show when slashes are decoded, also before a `;` parameter, and control characters.
 */
const UNSAFE_PATH = /(?:^|\/|\\|%2f|%5c)(?:\.|%2e){1,2}(?:\/|\\|%2f|%5c|;|%3b|$)|%[01][\da-f]|%7f/i;

/**
 * The URL of a request that may be sent on. Plain dot segments are resolved already, as URLs are; a path that begins with
 * several slashes, which some take for a host, begins with one.
 *
 * @throws RefusedError 400, 405 or 417
 */
export function admit(request: Request): URL {
  const { method, headers } = request;
  if (FORBIDDEN_METHODS.has(method)) throw new RefusedError(405, `${method} is not forwarded`);
  const url = parse(request.url);
  if (url === undefined) throw new RefusedError(400, "the URL of the request is malformed");
  const { pathname } = url;
  // Most paths have neither.
  if ((pathname.includes("%") || pathname.includes(".")) && UNSAFE_PATH.test(pathname))
    throw new RefusedError(400, "the path is ambiguous");
  if (pathname.startsWith("//")) url.pathname = pathname.replace(/^\/+/, "/");
  const expectation = headers.get("expect");
  if (expectation !== null && expectation.toLowerCase() !== "100-continue")
    throw new RefusedError(417, "the only expectation that can be met is 100-continue");
  const length = headers.get("content-length");
  if (length !== null && !/^\d{1,15}$/.test(length)) throw new RefusedError(400, "the Content-Length is malformed");
  return url;
}

function parse(text: string): URL | undefined {
  try {
    const url = new URL(text);
    const isHttp = url.protocol === "http:" || url.protocol === "https:";
    return isHttp && url.username === "" && url.password === "" ? url : undefined;
  } catch {
    return undefined;
  }
}
