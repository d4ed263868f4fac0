/** The reason of everything that ends because nobody waits for it any more. */
export function clientGone(): DOMException {
  return new DOMException("The client has closed the connection", "AbortError");
}
