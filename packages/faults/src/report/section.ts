/** What is between the markers is generated. */
const BEGIN = "<!-- faults: begin -->";
const END = "<!-- faults: end -->";

/**
 * The page with what is between its markers replaced.
 *
 * @throws Error if there are not just these two, in this order
 */
export function withSection(page: string, text: string): string {
  const [before, rest, ...more] = page.split(BEGIN);
  const [, after, ...others] = rest?.split(END) ?? [];
  if (before === undefined || after === undefined || more.length > 0 || others.length > 0) {
    throw new Error(`the page must have one ${BEGIN} and one ${END} after it`);
  }
  return `${before}${BEGIN}\n\n${text}\n\n${END}${after}`;
}
