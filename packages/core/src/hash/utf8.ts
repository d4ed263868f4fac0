/** Words before the scratch first grows: enough for keys of 340 characters of any kind. */
const FIRST_WORDS = 256;
/** A surrogate without its partner stands for no character; `TextEncoder` writes this instead. */
const REPLACEMENT = 0xfffd;

/**
 * A text as UTF-8, four bytes to a word, the first byte lowest on every machine. One instance serves all hashes: what
 * it holds is read before the next text comes.
 */
export class Utf8Words {
  /** The last word is filled up with zeros; what follows it is left from texts before. */
  words: Int32Array = new Int32Array(FIRST_WORDS);

  /** Returns the number of bytes. Allocates only when a text is longer than any before. */
  encode(text: string): number {
    const { length } = text;
    // A UTF-16 unit takes three bytes at most.
    const most = Math.ceil((length * 3) / 4);
    if (most > this.words.length) this.words = new Int32Array(2 ** Math.ceil(Math.log2(most)));
    const { words } = this;
    let at = 0;
    for (; at + 4 <= length; at += 4) {
      const first = text.charCodeAt(at);
      const second = text.charCodeAt(at + 1);
      const third = text.charCodeAt(at + 2);
      const fourth = text.charCodeAt(at + 3);
      if ((first | second | third | fourth) > 0x7f) return this.#encodeAny(text, at);
      words[at >> 2] = first | (second << 8) | (third << 16) | (fourth << 24);
    }
    return this.#encodeAny(text, at);
  }

  /** From a character on before which there are only ASCII ones, a multiple of four. */
  #encodeAny(text: string, from: number): number {
    let bytes = from;
    for (let at = from; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit < 0x80) {
        this.#put(bytes++, unit);
      } else if (unit < 0x800) {
        this.#put(bytes++, 0xc0 | (unit >> 6));
        this.#put(bytes++, 0x80 | (unit & 0x3f));
      } else {
        const character = text.codePointAt(at) ?? REPLACEMENT;
        if (character > 0xffff) at++;
        bytes = this.#putLong(bytes, character >= 0xd800 && character < 0xe000 ? REPLACEMENT : character);
      }
    }
    return bytes;
  }

  /** Characters of three or four bytes. */
  #putLong(from: number, character: number): number {
    let bytes = from;
    if (character > 0xffff) {
      this.#put(bytes++, 0xf0 | (character >> 18));
      this.#put(bytes++, 0x80 | ((character >> 12) & 0x3f));
    } else {
      this.#put(bytes++, 0xe0 | (character >> 12));
    }
    this.#put(bytes++, 0x80 | ((character >> 6) & 0x3f));
    this.#put(bytes++, 0x80 | (character & 0x3f));
    return bytes;
  }

  #put(at: number, byte: number): void {
    const before = (at & 3) === 0 ? 0 : (this.words[at >> 2] as number);
    this.words[at >> 2] = before | (byte << ((at & 3) << 3));
  }
}

export const utf8: Utf8Words = /* @__PURE__ */ new Utf8Words();
