import type { Dispatcher } from "undici";
import { describe, expect, test, vi } from "vitest";
import { type LegacyHandler, normalise } from "./handler.ts";

type Controller = Dispatcher.DispatchController;

const controllerWith = (raw: Partial<Controller> = {}) => ({
  aborted: false,
  paused: false,
  reason: null,
  abort: vi.fn(),
  pause: vi.fn(),
  resume: vi.fn(),
  ...raw,
});

const texts = (raw: readonly unknown[]): string[] => raw.map(String);

describe("a handler of undici 8", () => {
  test("is taken as it is", () => {
    const handler = { onRequestStart: () => {} };
    expect(normalise(handler)).toBe(handler);
  });
});

describe("a handler of undici 7", () => {
  test("hears of everything in its own terms", () => {
    const legacy = {
      onConnect: vi.fn(),
      onUpgrade: vi.fn(),
      onResponseStarted: vi.fn(),
      onHeaders: vi.fn(),
      onData: vi.fn(),
      onComplete: vi.fn(),
      onError: vi.fn(),
      onBodySent: vi.fn(),
      onRequestSent: vi.fn(),
    };
    const handler = normalise(legacy);
    const raw = [Buffer.from("a"), Buffer.from("1")];
    const controller = controllerWith({ rawHeaders: raw, rawTrailers: raw });
    handler.onRequestStart?.(controller, "context");
    handler.onBodySent?.(Buffer.from("x"));
    handler.onRequestSent?.();
    handler.onResponseStarted?.();
    handler.onResponseStart?.(controller, 200, { a: "1" }, "OK");
    handler.onResponseData?.(controller, Buffer.from("data"));
    handler.onResponseEnd?.(controller, { a: "1" });
    handler.onRequestUpgrade?.(controller, 101, { a: "1" }, "socket" as never);
    handler.onResponseError?.(controller, new Error("broken"));
    expect(legacy.onHeaders).toHaveBeenCalledWith(200, raw, expect.any(Function), "OK");
    expect(legacy.onComplete).toHaveBeenCalledWith(raw);
    expect(legacy.onUpgrade).toHaveBeenCalledWith(101, raw, "socket");
    for (const heard of Object.values(legacy)) expect(heard).toHaveBeenCalledOnce();
    legacy.onConnect.mock.calls[0]?.[0](new Error("enough"));
    expect(controller.abort).toHaveBeenCalledWith(new Error("enough"));
    legacy.onHeaders.mock.calls[0]?.[2]();
    expect(controller.resume).toHaveBeenCalledOnce();
    expect(controller.pause).not.toHaveBeenCalled();
  });

  test("pauses by answering false", () => {
    const handler = normalise({ onHeaders: () => false, onData: () => false });
    const controller = controllerWith({ rawHeaders: [] });
    handler.onResponseStart?.(controller, 200, {});
    handler.onResponseData?.(controller, Buffer.from("data"));
    expect(controller.pause).toHaveBeenCalledTimes(2);
  });

  test("gets the headers of HTTP/2, which come as an object, as names and values in turn", () => {
    const onHeaders = vi.fn<NonNullable<LegacyHandler["onHeaders"]>>();
    const headers = { a: "1", "set-cookie": ["b", "c"] };
    normalise({ onHeaders }).onResponseStart?.(controllerWith({ rawHeaders: headers }), 200, headers);
    expect(texts(onHeaders.mock.calls[0]?.[1] ?? [])).toEqual(["a", "1", "set-cookie", "b", "set-cookie", "c"]);
  });

  test("without a word on errors, throws them", () => {
    expect(() => normalise({}).onResponseError?.(controllerWith(), new Error("broken"))).toThrow("broken");
  });

  test("still speaks its own language to an older agent", () => {
    const legacy = { onConnect: vi.fn(), onHeaders: vi.fn(() => true), onData: vi.fn(() => true), onComplete: vi.fn() };
    const handler = normalise(legacy) as LegacyHandler;
    handler.onConnect?.(() => {});
    expect(handler.onHeaders?.(200, [], () => {}, "OK")).toBe(true);
    expect(handler.onData?.(Buffer.from("x"))).toBe(true);
    handler.onComplete?.([]);
    for (const heard of Object.values(legacy)) expect(heard).toHaveBeenCalledOnce();
  });
});
