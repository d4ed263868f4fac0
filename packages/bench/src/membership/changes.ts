/** What may be different about the next set. */
export const CHANGES = ["one added", "one removed", "one weight changed", "the same again"] as const;
export type Change = (typeof CHANGES)[number];

/** Milliseconds, per round. */
export type MembershipCell = Readonly<Record<Change, readonly number[]>>;
