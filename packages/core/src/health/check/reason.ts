/** Errors are told by others; one line on a page is enough of them. */
const LONGEST = 100;
/** `fetch failed` wraps the error of the socket, which may wrap those of several addresses. */
const DEEPEST = 4;

/** What an error says in a word: the code of the innermost cause that has one, else the beginning of the message. */
export function reasonOf(error: unknown): string {
  let code: string | undefined;
  let cause: unknown = error;
  for (let depth = 0; depth < DEEPEST && typeof cause === "object" && cause !== null; depth++) {
    if ("code" in cause && typeof cause.code === "string") code = cause.code;
    cause = "cause" in cause ? cause.cause : undefined;
  }
  return (code ?? (error instanceof Error ? error.message : String(error))).slice(0, LONGEST);
}
