/** Adds properties that are made when first read: nobody pays for what they do not use. */
export function withLazy<T extends object, L extends object>(
  target: T,
  makers: { readonly [K in keyof L]: () => L[K] },
): T & L {
  for (const [name, make] of Object.entries<() => unknown>(makers)) {
    Object.defineProperty(target, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        const value = make();
        Object.defineProperty(target, name, { value, enumerable: true });
        return value;
      },
    });
  }
  return target as T & L;
}
