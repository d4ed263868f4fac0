/** The URL, if the text is one. `URL.canParse` and `URL.parse` are newer than the oldest browsers that this is for. */
export function urlOf(text: string, base?: string): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}
