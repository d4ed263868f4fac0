/** Who takes the functions that settle a promise. */
export interface Adopter<T> {
  adopt(resolve: (value: T) => void, reject: (error: unknown) => void): void;
}

let next: Adopter<unknown> | undefined;

/** One executor for all promises spares each of them a closure. It runs before the constructor returns. */
function executor(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  next?.adopt(resolve, reject);
  next = undefined;
}

/** A promise that `adopter` settles. */
export function promiseOf<T>(adopter: Adopter<T>): Promise<T> {
  next = adopter;
  return new Promise<unknown>(executor) as Promise<T>;
}
