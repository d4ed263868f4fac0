/**
 * One text for an address however it is written, and for all addresses that share the first `ipv6Prefix` bits: whoever is
 * given a network has all of its addresses. IPv4 written as IPv6 (`::ffff:192.0.2.1`) is IPv4; a zone (`%eth0`) does not
 * count. `undefined`: it is no address.
 *
 * Source: RFC 4291 §2.2 (text), §2.5.5.2 (IPv4-mapped).
 */
export function addressKey(address: string, ipv6Prefix: number): string | undefined {
  const zone = address.indexOf("%");
  const text = zone < 0 ? address : address.slice(0, zone);
  if (!text.includes(":")) return ipv4(text)?.join(".");
  const groups = ipv6(text);
  if (groups === undefined) return undefined;
  const [, , , , , marker = 0, high = 0, low = 0] = groups;
  if (marker === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  }
  const masked = groups.map((group, index) => group & maskOf(ipv6Prefix - 16 * index));
  return `${masked.map((group) => group.toString(16)).join(":")}/${ipv6Prefix}`;
}

/** Of one group, `bits` of which belong to the prefix. */
function maskOf(bits: number): number {
  return bits >= 16 ? 0xffff : bits <= 0 ? 0 : (0xffff << (16 - bits)) & 0xffff;
}

function ipv4(text: string): number[] | undefined {
  const parts = text.split(".", 5);
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.map(Number);
}

/** The eight groups. */
function ipv6(text: string): number[] | undefined {
  const halves = text.split("::", 3);
  if (halves.length > 2 || (halves.length === 2 && halves[0]?.includes(".") === true)) return undefined;
  const [before, after] = halves.map(groupsOf);
  if (before === undefined) return undefined;
  if (halves.length === 1) return before.length === 8 ? before : undefined;
  if (after === undefined) return undefined;
  const missing = 8 - before.length - after.length;
  return missing < 1 ? undefined : [...before, ...Array.from({ length: missing }, () => 0), ...after];
}

/** What is on one side of `::`; the last two may be written as IPv4. */
function groupsOf(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":", 9);
  for (const [index, part] of parts.entries()) {
    const embedded = index === parts.length - 1 && part.includes(".") ? ipv4(part) : undefined;
    if (embedded !== undefined) {
      const [a = 0, b = 0, c = 0, d = 0] = embedded;
      groups.push(a * 256 + b, c * 256 + d);
    } else if (/^[\da-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}
