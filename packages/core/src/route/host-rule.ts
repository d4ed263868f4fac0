import type { Expected } from "../options.ts";
import { urlOf } from "../url.ts";

/** `api.example.com`, `*.example.com`; a port may follow. */
const RULE = /^(?<wildcard>\*\.)?(?<name>[^*/?#@\\\s:[\]]+|\[[\da-f:.]+\])(?::(?<port>\d+))?$/i;

/** One host, or all below one. */
export class HostRule {
  readonly #name: string;
  readonly #isWildcard: boolean;
  /** `undefined`: any. */
  readonly #port: string | undefined;

  /** @param text one that `hostRule` accepts */
  constructor(text: string) {
    const { wildcard, name = "", port } = RULE.exec(text)?.groups ?? {};
    // As URLs have it: in lower case, in ASCII, addresses in their one form.
    this.#name = withoutDot(new URL(`http://${name}`).hostname);
    this.#isWildcard = wildcard !== undefined;
    this.#port = port;
  }

  /** `host`: that of a URL, with the port if the URL has one. */
  holds(host: string): boolean {
    // Most hosts are the rule, letter by letter.
    if (host === this.#name) return !this.#isWildcard && this.#port === undefined;
    // Nearly all others have nothing of it.
    if (!host.includes(this.#name)) return false;
    const colon = host.lastIndexOf(":");
    const hasPort = colon > host.lastIndexOf("]");
    if (this.#port !== undefined && (!hasPort || host.slice(colon + 1) !== this.#port)) return false;
    const name = withoutDot(hasPort ? host.slice(0, colon) : host);
    return this.#isWildcard
      ? name.endsWith(this.#name) && name[name.length - this.#name.length - 1] === "." && !name.startsWith(".")
      : name === this.#name;
  }
}

/** A name that ends with a dot is the same name (RFC 1034 §3.1). */
function withoutDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

export const hostRule: Expected<string> = {
  description: "a host such as api.example.com, *.example.com or localhost:8080, without the scheme's own port",
  accepts: (value: unknown): value is string => {
    if (typeof value !== "string") return false;
    const { name, port } = RULE.exec(value)?.groups ?? {};
    // A URL never shows these ports: such a rule would hold for nothing.
    return name !== undefined && port !== "80" && port !== "443" && urlOf(`http://${name}`) !== undefined;
  },
};
