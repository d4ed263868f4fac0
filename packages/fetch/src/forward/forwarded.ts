/** What one proxy has said of a request in `Forwarded` (RFC 7239): from whom it had it, and how it was asked. */
export interface ForwardedElement {
  readonly for?: string | undefined;
  readonly host?: string | undefined;
  readonly proto?: string | undefined;
}

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/** One parameter and what follows it (RFC 7239 §4); a quoted value may hold what would end it. */
const PARAMETER = /[ \t]*([\w!#$%&'*+.^`|~-]+)=("(?:[^"\\]|\\.)*"|[\w!#$%&'*+.^`|~-]*)[ \t]*(;|,|$)/y;

/**
 * The elements, from the client on. `undefined`: it is malformed. Then nothing of it counts: who can leave a quote open
 * could swallow what the proxies after him have said.
 */
export function parseForwarded(text: string): readonly ForwardedElement[] | undefined {
  const elements: ForwardedElement[] = [];
  let element: Record<string, string> = {};
  PARAMETER.lastIndex = 0;
  for (let at = 0; at < text.length; ) {
    const [whole = "", name = "", value = "", end = ""] = PARAMETER.exec(text) ?? [];
    if (whole === "") return undefined;
    at += whole.length;
    element[name.toLowerCase()] = value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
    if (end === ";") continue;
    elements.push(element);
    element = {};
  }
  return /[;,]\s*$/.test(text) ? undefined : elements;
}

/** Writes the way of a request: whom it has come through, and what the client asked for. */
export function formatForwarded(path: readonly string[], host: string, proto: string): string {
  const [client = "unknown", ...proxies] = path;
  const first = `for=${quoted(client)};host=${quoted(host)};proto=${proto}`;
  return [first, ...proxies.map((proxy) => `for=${quoted(proxy)}`)].join(", ");
}

/** IPv6 stands in brackets, and brackets and colons in quotes (RFC 7239 §4 and §6). */
function quoted(node: string): string {
  if (TOKEN.test(node)) return node;
  const isV6 = node.split(":").length > 2 && !node.startsWith("[");
  return `"${(isV6 ? `[${node}]` : node).replace(/["\\]/g, "\\$&")}"`;
}
