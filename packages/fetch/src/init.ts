/** What `fetch` reads of its second argument (Fetch standard §5.4, `RequestInit`), and undici's `dispatcher`. */
const MEMBERS = [
  "method",
  "headers",
  "body",
  "mode",
  "credentials",
  "cache",
  "redirect",
  "referrer",
  "referrerPolicy",
  "integrity",
  "keepalive",
  "signal",
  "duplex",
  "priority",
  "dispatcher",
] as const;

/**
 * What `fetch` was given for an `init`, as an object of our own. Whatever has these properties is one: another Request,
 * say, whose properties are its prototype's. What is `undefined` says nothing.
 *
 * @throws TypeError if it is no object
 */
export function readInit<T extends object>(init: T | null | undefined): T | undefined {
  if (init === undefined || init === null) return undefined;
  if (typeof init !== "object" && typeof init !== "function") throw new TypeError("init must be an object");
  const prototype: unknown = Object.getPrototypeOf(init);
  const isPlain = prototype === null || prototype === Object.prototype;
  const own = { ...init } as Record<string, unknown>;
  if (!isPlain) for (const name of MEMBERS) own[name] = (init as Record<string, unknown>)[name];
  const { method, headers } = own;
  // Whatever it is, the platform makes a text of it.
  if (method !== undefined) own["method"] = `${method as string | number}`;
  if (isReadOnce(headers)) own["headers"] = new Headers(headers);
  for (const name in own) if (own[name] === undefined) delete own[name];
  return own as T;
}

/** Entries that come from an iterator are gone once they are read, and each attempt reads them. */
function isReadOnce(headers: unknown): headers is Iterable<[string, string]> & HeadersInit {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) return false;
  return Symbol.iterator in headers && !(headers instanceof Headers);
}
