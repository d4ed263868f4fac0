/** What a call needs of an `AbortSignal`. Who ends many calls may have something cheaper: a signal costs a microsecond. */
export interface CallSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
