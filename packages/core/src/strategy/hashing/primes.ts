/** By trial division; for sizes of tables, some million at most. */
export function isPrime(number: number): boolean {
  if (number < 4) return number > 1;
  if (number % 2 === 0) return false;
  for (let divisor = 3; divisor * divisor <= number; divisor += 2) if (number % divisor === 0) return false;
  return true;
}

/** The first prime from `number` on. */
export function nextPrime(number: number): number {
  let candidate = number;
  while (!isPrime(candidate)) candidate++;
  return candidate;
}
