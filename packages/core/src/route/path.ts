/** A path that reads the same however it is parsed: nothing encoded, no empty or dot segments. */
const PLAIN = /^(?:\/(?![./])[\w.~!$&'()*+,;=:@-]*)+$/;

/** Encoded bytes, and characters. */
const UNITS = /%[\da-f]{2}|[^]/gi;

/** RFC 3986 §2.3: encoded or not, these mean the same (§6.2.2.2). */
const UNRESERVED = /^[\w.~-]$/;

/** A path, and how routes compare it. */
export interface PathReading {
  /** What is sent: the path as it came, but for dot segments. */
  readonly sent: string;
  /** What is compared: what needs no encoding is decoded, the rest is in upper case, slashes in a row are one. */
  readonly text: string;
  /** What is sent from that place of `text` on. */
  sentFrom(index: number): string;
}

/** How routes read a path. What a backend could tell apart, such as `%2F` and a slash, stays apart. */
export function readPath(path: string): PathReading {
  return PLAIN.test(path) ? new PlainPath(path) : new DecodedPath(path);
}

class PlainPath implements PathReading {
  readonly text: string;

  constructor(path: string) {
    this.text = path;
  }

  get sent(): string {
    return this.text;
  }

  sentFrom(index: number): string {
    return this.text.slice(index);
  }
}

class DecodedPath implements PathReading {
  readonly sent: string;
  readonly text: string;
  /** Where in `sent` each character of `text` begins. */
  readonly #starts: number[] = [];

  constructor(path: string) {
    // Dot segments, encoded ones too, lead where a URL says.
    this.sent = new URL(`http://host/${path.startsWith("/") ? path.slice(1) : path}`).pathname;
    const { sent } = this;
    let text = "";
    let at = 0;
    for (const [unit] of sent.matchAll(UNITS)) {
      const read = comparable(unit);
      if (read !== "/" || !text.endsWith("/")) {
        text += read;
        for (let length = this.#starts.length; length < text.length; length++) this.#starts.push(at);
      }
      at += unit.length;
    }
    this.text = text;
  }

  sentFrom(index: number): string {
    const start = this.#starts[index];
    return start === undefined ? "" : this.sent.slice(start);
  }
}

/** As it is compared. */
function comparable(unit: string): string {
  if (unit.length === 1) return unit;
  const decoded = String.fromCharCode(Number.parseInt(unit.slice(1), 16));
  return UNRESERVED.test(decoded) ? decoded : unit.toUpperCase();
}

/** A prefix of a rule, comparable; without the slash at its end, so that the root is empty. */
export function prefixOf(path: string): string {
  const { text } = readPath(path);
  return text.endsWith("/") ? text.slice(0, -1) : text;
}

/** Whether a comparable path is `prefix` or lies below it. */
export function isBelow(text: string, prefix: string): boolean {
  // The one character decides nearly always.
  return text.length === prefix.length ? text === prefix : text[prefix.length] === "/" && text.startsWith(prefix);
}
