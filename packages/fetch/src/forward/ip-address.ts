/** An address in its bytes, 4 or 16 of them: what is written in several ways is one. */
export type IpAddress = readonly number[];

/** The longest that an IPv6 address is written, an IPv4 tail included. */
const LONGEST = 45;

/**
 * Reads an address. IPv6 that stands for IPv4 (`::ffff:192.0.2.1`) is IPv4; a zone (`%eth0`) is left out.
 *
 * `undefined`: it is none. Numbers with leading zeros are none: some read them as octal.
 *
 * @see RFC 4291 §2.2
 */
export function parseIp(text: string): IpAddress | undefined {
  if (!text.includes(":")) return parseV4(text);
  const zone = text.indexOf("%");
  const address = parseV6(zone < 0 ? text : text.slice(0, zone));
  return address !== undefined && isMapped(address) ? address.slice(12) : address;
}

/** Reads what proxies write: an address, perhaps with a port, and IPv6 perhaps in brackets. */
export function parseNode(text: string): IpAddress | undefined {
  const [, bracketed] = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text) ?? [];
  if (bracketed !== undefined) return bracketed.includes(":") ? parseIp(bracketed) : undefined;
  const [, v4 = text] = /^([\d.]+):\d{1,5}$/.exec(text) ?? [];
  return parseIp(v4);
}

/** As RFC 5952 §4 writes it. */
export function ipText(address: IpAddress): string {
  if (address.length === 4) return address.join(".");
  const groups = groupsOf(address);
  const [from, length] = longestZeros(groups);
  return length < 2 ? hexText(groups) : `${hexText(groups.slice(0, from))}::${hexText(groups.slice(from + length))}`;
}

function hexText(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(":");
}

/** Whom an address stands for: a client has an IPv4 address, or a whole IPv6 /64 (RFC 6177). */
export function clientKey(address: IpAddress): string {
  if (address.length === 4) return ipText(address);
  return `${ipText([...address.slice(0, 8), 0, 0, 0, 0, 0, 0, 0, 0])}/64`;
}

function parseV4(text: string): IpAddress | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = parts.map((part) => (/^(?:0|[1-9]\d{0,2})$/.test(part) ? Number(part) : Number.NaN));
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function parseV6(text: string): IpAddress | undefined {
  if (text.length > LONGEST) return undefined;
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return undefined;
  const before = parseGroups(head, tail === undefined);
  const after = tail === undefined ? [] : parseGroups(tail, true);
  if (before === undefined || after === undefined) return undefined;
  const missing = 8 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  return [...before, ...Array.from({ length: missing }, () => 0), ...after].flatMap((group) => [
    group >> 8,
    group & 255,
  ]);
}

/** @param isEnd whether the address ends here: then the last may be written as IPv4 */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const v4 = isEnd ? parseV4(parts.at(-1) ?? "") : undefined;
  const hex = v4 === undefined ? parts : parts.slice(0, -1);
  if (!hex.every((part) => /^[\da-f]{1,4}$/i.test(part))) return undefined;
  const groups = hex.map((part) => Number.parseInt(part, 16));
  return v4 === undefined ? groups : [...groups, ...groupsOf(v4)];
}

function groupsOf(bytes: IpAddress): number[] {
  const groups: number[] = [];
  for (let index = 0; index < bytes.length; index += 2)
    groups.push(((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0));
  return groups;
}

/** `::ffff:0:0/96` (RFC 4291 §2.5.5.2). */
function isMapped(address: IpAddress): boolean {
  return address.slice(0, 10).every((byte) => byte === 0) && address[10] === 255 && address[11] === 255;
}

/** Where the first of the longest runs of zeros begins, and its length. */
function longestZeros(groups: readonly number[]): [from: number, length: number] {
  let best: [number, number] = [0, 0];
  for (let from = 0; from < groups.length; from++) {
    let to = from;
    while (groups[to] === 0) to++;
    if (to - from > best[1]) best = [from, to - from];
    from = Math.max(from, to);
  }
  return best;
}
