/**
 * Where the value of the next cookie called `name` begins in a `Cookie` field, from `from` on; -1: there is none. Looks at
 * each character at most twice, however the field is made.
 *
 * Source: RFC 6265 §4.2.1; names are case-sensitive.
 */
export function nextCookie(field: string, name: string, from = 0): number {
  const start = `${name}=`;
  for (let at = field.indexOf(start, from); at >= 0; at = field.indexOf(start, at + start.length)) {
    if (beginsCookie(field, at)) return at + start.length;
  }
  return -1;
}

/** The value that begins at `start`, without the blanks around it. */
export function cookieValueAt(field: string, start: number): string {
  const end = field.indexOf(";", start);
  return field.slice(start, end < 0 ? undefined : end).trim();
}

/** Whether only blanks are between `at` and the end of the cookie before, or the beginning of the field. */
function beginsCookie(field: string, at: number): boolean {
  let before = at - 1;
  while (field[before] === " " || field[before] === "\t") before--;
  return before < 0 || field[before] === ";";
}
