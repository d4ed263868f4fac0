/** What logs and other services can live with: nothing that ends a line, and not without end. */
const SANE = /^[\w.:+/=@~-]{1,128}$/;

/** The id of a request: what a proxy of ours has given it, else a new one, a random UUID (RFC 9562 §5.4). */
export function requestIdOf(given: string | null, trusted: boolean): string {
  return trusted && given !== null && SANE.test(given) ? given : randomId();
}

function randomId(): string {
  // Pages that are not served by HTTPS lack it.
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
