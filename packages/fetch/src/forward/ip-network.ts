import { type IpAddress, parseIp } from "./ip-address.ts";

/** Addresses that begin alike. */
export interface IpNetwork {
  readonly address: IpAddress;
  /** How many bits they have in common. */
  readonly bits: number;
}

/** Reads an address or a CIDR; `undefined`: it is neither. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const [base = "", length, ...more] = text.split("/");
  const address = parseIp(base);
  if (address === undefined || more.length > 0) return undefined;
  const size = address.length * 8;
  if (length === undefined) return { address, bits: size };
  if (!/^\d{1,3}$/.test(length)) return undefined;
  // An IPv4 network that is written as IPv6 has 96 bits before its own.
  const bits = Number(length) - (base.includes(":") && size === 32 ? 96 : 0);
  return bits >= 0 && bits <= size ? { address, bits } : undefined;
}

export function contains({ address, bits }: IpNetwork, other: IpAddress): boolean {
  if (address.length !== other.length) return false;
  const whole = bits >> 3;
  for (let index = 0; index < whole; index++) if (address[index] !== other[index]) return false;
  const rest = bits & 7;
  return rest === 0 || ((address[whole] ?? 0) ^ (other[whole] ?? 0)) >> (8 - rest) === 0;
}
