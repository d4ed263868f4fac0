import { describe, expect, test, vi } from "vitest";
import { isOneShot, OneShotBody } from "./body.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const text of texts) yield bytes(text);
}

const read = (stream: ReadableStream): Promise<string> => new Response(stream).text();

test("streams and async iterables can be sent once, everything else again", () => {
  expect([new ReadableStream(), chunks()].map(isOneShot)).toEqual([true, true]);
  const others = [
    "text",
    bytes("a"),
    new ArrayBuffer(1),
    new Blob(),
    new FormData(),
    new URLSearchParams(),
    null,
    undefined,
  ];
  expect(others.map(isOneShot)).toEqual(others.map(() => false));
});

describe("a body that can be sent once", () => {
  test("is not touched before somebody reads it", async () => {
    const pull = vi.fn((controller: ReadableStreamDefaultController) => controller.close());
    const body = new OneShotBody(new ReadableStream({ pull }, { highWaterMark: 0 }));
    body.open();
    const stream = body.open();
    await Promise.resolve();
    expect(pull).not.toHaveBeenCalled();
    await read(stream);
    expect(pull).toHaveBeenCalledOnce();
  });

  test("keeps its first chunk for another attempt, and no more", async () => {
    const body = new OneShotBody(chunks("one ", "two ", "three"));
    const first = body.open().getReader();
    expect(await first.read()).toMatchObject({ value: bytes("one ") });
    expect(body.consumed).toBe(false);
    expect(await read(body.open())).toBe("one two three");
    expect(body.consumed).toBe(true);
  });

  test("is not ended by an attempt that is given up before it took more than that", async () => {
    const cancel = vi.fn();
    const source = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes("one "));
        controller.enqueue(bytes("two"));
        controller.close();
      },
      cancel,
    });
    const body = new OneShotBody(source);
    const first = body.open().getReader();
    await first.read();
    await first.cancel(new Error("given up"));
    expect(cancel).not.toHaveBeenCalled();
    expect(await read(body.open())).toBe("one two");
  });

  test("tells its source of the end, once it was taken", async () => {
    const cancel = vi.fn();
    const body = new OneShotBody(
      new ReadableStream({ pull: (controller) => controller.enqueue(bytes("more")), cancel }),
    );
    const reader = body.open().getReader();
    await reader.read();
    await reader.read();
    await reader.cancel("enough");
    expect(cancel).toHaveBeenCalledWith("enough");
  });

  test("tells its source if nobody took it", () => {
    const cancel = vi.fn();
    new OneShotBody(new ReadableStream({ cancel })).dispose("enough");
    expect(cancel).toHaveBeenCalledWith("enough");
  });

  test("says that it failed itself", async () => {
    const body = new OneShotBody(
      (async function* () {
        yield bytes("one ");
        throw new Error("disk on fire");
      })(),
    );
    await expect(read(body.open())).rejects.toThrow("disk on fire");
    expect(body.failed).toBe(true);
  });

  test("encodes text that an iterable yields", async () => {
    expect(await read(new OneShotBody(["one ", "two"]).open())).toBe("one two");
  });

  test("is refused if somebody else reads it", () => {
    const source = new ReadableStream();
    source.getReader();
    expect(() => new OneShotBody(source)).toThrow(TypeError);
  });
});
