/** HTTP statuses from `from` to `to`, both included. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

const RANGE = /^([1-5])(?:xx|(\d\d)(?:-([1-5]\d\d))?)$/;

/** What `404`, `500-503` or `5xx` stands for; `undefined` if `text` is none of these. */
export function parseStatusRange(text: string): StatusRange | undefined {
  const match = RANGE.exec(text);
  if (match === null) return undefined;
  const [, hundred, rest, last] = match;
  if (rest === undefined) return { from: Number(`${hundred}00`), to: Number(`${hundred}99`) };
  const from = Number(`${hundred}${rest}`);
  const to = last === undefined ? from : Number(last);
  return from <= to ? { from, to } : undefined;
}
