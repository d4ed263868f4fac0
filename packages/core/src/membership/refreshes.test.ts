import { describe, expect, it } from "vitest";
import { Refreshes } from "./refreshes.ts";

/** Whether the promise has settled once other promises have had their turn. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(
    () => (done = true),
    () => {},
  );
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  return done;
}

describe("refreshes", () => {
  it("wait until somebody asks", async () => {
    const refreshes = new Refreshes();
    const next = refreshes[Symbol.asyncIterator]().next();
    expect(await settled(next)).toBe(false);
    refreshes.request();
    expect(await next).toEqual({ done: false, value: undefined });
  });

  it("remember a request for a reader that is busy, several as one", async () => {
    const refreshes = new Refreshes();
    for (let count = 0; count < 3; count++) refreshes.request();
    const reader = refreshes[Symbol.asyncIterator]();
    expect(await reader.next()).toEqual({ done: false, value: undefined });
    expect(await settled(reader.next())).toBe(false);
  });

  it("wake every reader that waits", async () => {
    const refreshes = new Refreshes();
    const waiting = [0, 1].map(() => refreshes[Symbol.asyncIterator]().next());
    refreshes.request();
    expect(await Promise.all(waiting)).toEqual([0, 1].map(() => ({ done: false, value: undefined })));
  });

  it("are not used up by a reader that has left", async () => {
    const refreshes = new Refreshes();
    const left = refreshes[Symbol.asyncIterator]();
    left.next().catch(() => {});
    await left.return?.();
    refreshes.request();
    expect(await settled(refreshes[Symbol.asyncIterator]().next())).toBe(true);
  });

  it("end when closed: for those who wait and for those who come later", async () => {
    const refreshes = new Refreshes();
    const waiting = refreshes[Symbol.asyncIterator]().next();
    refreshes.close();
    expect((await waiting).done).toBe(true);
    expect((await refreshes[Symbol.asyncIterator]().next()).done).toBe(true);
    let rounds = 0;
    for await (const _ of refreshes) rounds++;
    expect(rounds).toBe(0);
  });
});
