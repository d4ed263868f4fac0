/** A listener that should have answered at once may have answered with a promise: its rejection must not go unhandled. */
export function catchLater(answer: unknown, failed: (error: unknown) => void): void {
  if (typeof answer === "object" && answer !== null && "then" in answer) Promise.resolve(answer).catch(failed);
}
