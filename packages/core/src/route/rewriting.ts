import { isBelow, type PathReading, prefixOf } from "./path.ts";

/** Puts another prefix in place of the one that a route goes by, and undoes that. */
export class Rewriting {
  /** Without a slash at its end. */
  readonly #to: string;

  constructor(to: string) {
    this.#to = prefixOf(to);
  }

  /** The path for the backend of a request whose path begins with `prefix`. */
  apply(path: PathReading, prefix: string): string {
    // Two slashes at the beginning would name a host in a redirect that the backend makes of them.
    const rest = path.sentFrom(prefix.length).replace(/^\/{2,}/, "/");
    return this.#to + rest || "/";
  }

  /** The path of the caller that leads to `path` of a backend. */
  undo(path: string, prefix: string): string {
    return isBelow(path, this.#to) ? prefix + path.slice(this.#to.length) || "/" : path;
  }
}
