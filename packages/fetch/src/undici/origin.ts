/** Whether a request to `target` is one for `origin`. */
export function isFor(origin: string, target: string | URL | undefined): boolean {
  if (target === origin) return true;
  if (target === undefined) return false;
  try {
    return new URL(target).origin === origin;
  } catch {
    return false;
  }
}
