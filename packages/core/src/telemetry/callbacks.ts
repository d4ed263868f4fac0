/**
 * A function of the user that should have answered at once may have answered with a promise all the same: then its
 * rejection must not go unhandled. Returns whether it has.
 */
export function catchLater(answer: unknown, failed: (error: unknown) => void): boolean {
  if (typeof answer !== "object" || answer === null || !("then" in answer)) return false;
  Promise.resolve(answer).catch(failed);
  return true;
}
