import { Readable } from "node:stream";
import { type Case, describeError, type Site, show } from "./site.ts";

type Init = RequestInit & { duplex?: "half" };

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

export const stream = (...chunks: readonly unknown[]): ReadableStream => {
  const left = [...chunks];
  return new ReadableStream({
    pull(controller) {
      if (left.length === 0) controller.close();
      else controller.enqueue(left.shift());
    },
  });
};

const form = (): FormData => {
  const data = new FormData();
  data.set("name", "välue");
  data.append("many", "1");
  data.append("many", "2");
  data.set("file", new File(["content"], 'a "file".txt', { type: "text/x" }));
  return data;
};

async function* generator(): AsyncGenerator<Uint8Array> {
  yield bytes("one ");
  yield bytes("two");
}

const shared = (): SharedArrayBuffer => {
  const buffer = new SharedArrayBuffer(5);
  new Uint8Array(buffer).set(bytes("hello"));
  return buffer;
};

interface Kind {
  readonly name: string;
  readonly make: () => unknown;
  readonly streams?: true;
}

/** Everything that is or passes for a body. */
export const KINDS: readonly Kind[] = [
  { name: "no body", make: () => undefined },
  { name: "null", make: () => null },
  { name: "an empty text", make: () => "" },
  { name: "a text", make: () => "héllo" },
  { name: "bytes", make: () => bytes("hello") },
  { name: "no bytes", make: () => new Uint8Array() },
  { name: "a part of a buffer", make: () => bytes("-hello-").subarray(1, 6) },
  { name: "a DataView", make: () => new DataView(bytes("-hello").buffer, 1) },
  { name: "an ArrayBuffer", make: () => bytes("hello").buffer },
  { name: "a SharedArrayBuffer", make: shared },
  { name: "a Buffer", make: () => Buffer.from("hello") },
  { name: "a blob", make: () => new Blob(["hello"], { type: "text/x" }) },
  { name: "a blob without a type", make: () => new Blob(["hello"]) },
  { name: "a file", make: () => new File(["hello"], "a.txt", { type: "text/x" }) },
  { name: "parameters", make: () => new URLSearchParams({ a: "1 é" }) },
  { name: "a form", make: form },
  { name: "a number", make: () => 42 },
  { name: "an object", make: () => ({ a: 1 }) },
  { name: "a stream", make: () => stream(bytes("one "), bytes("two")), streams: true },
  { name: "an empty stream", make: () => stream(), streams: true },
  { name: "a generator", make: generator, streams: true },
  { name: "a Readable", make: () => Readable.from([bytes("one "), bytes("two")]), streams: true },
];

const METHODS = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "patch", "PURGE", "QUERY"];

const initOf = ({ make, streams }: Kind, method: string): Init => {
  return { method, body: make() as BodyInit, ...(streams && { duplex: "half" }) };
};

const byMethod: readonly Case[] = METHODS.flatMap((method) =>
  KINDS.map((kind) => ({
    name: `${method} with ${kind.name}`,
    run: async ({ fetch, origin }) => show(await fetch(`${origin}/x`, initOf(kind, method))),
  })),
);

const withoutBody: readonly Case[] = ["GET", "HEAD", "get", "TRACE", "CONNECT", "track", "B@D", ""].flatMap((method) =>
  KINDS.filter(({ name }) => ["no body", "null", "an empty text", "a text", "a stream"].includes(name)).map((kind) => ({
    name: `${JSON.stringify(method)} with ${kind.name}`,
    run: async ({ fetch, origin }: Site) => show(await fetch(`${origin}/x`, initOf(kind, method))),
  })),
);

const byRequest: readonly Case[] = KINDS.flatMap((kind) => {
  const request = ({ origin }: Site): Request => new Request(`${origin}/x`, initOf(kind, "POST"));
  return [
    {
      name: `a Request with ${kind.name}`,
      run: async (site) => {
        const asked = request(site);
        const shown = await show(await site.fetch(asked));
        return { shown, used: asked.bodyUsed, again: await site.fetch(asked).then(show, describeError) };
      },
    },
    {
      name: `a cloned Request with ${kind.name}`,
      run: async (site) => {
        const asked = request(site);
        const clone = asked.clone();
        const first = await show(await site.fetch(asked));
        return [first, await show(await site.fetch(clone))];
      },
    },
    {
      name: `a Request with ${kind.name}, and headers of the init`,
      run: async (site) => show(await site.fetch(request(site), { headers: { "x-a": "1" } })),
    },
  ] satisfies readonly Case[];
});

const post = (site: Site, body: unknown, more: Init = { duplex: "half" }): Promise<Response> =>
  site.fetch(`${site.origin}/x`, { method: "POST", body: body as BodyInit, ...more });

const special: readonly Case[] = [
  { name: "a stream without duplex", run: async (site) => show(await post(site, stream(bytes("x")), {})) },
  { name: "a generator without duplex", run: async (site) => show(await post(site, generator(), {})) },
  { name: "a stream and keepalive", run: async (site) => show(await post(site, stream(), { keepalive: true })) },
  { name: "a stream of text", run: async (site) => show(await post(site, stream("text"))) },
  { name: "a stream of nothing", run: async (site) => show(await post(site, stream(undefined))) },
  {
    name: "a locked stream",
    run: async (site) => {
      const body = stream(bytes("x"));
      body.getReader();
      return show(await post(site, body));
    },
  },
  {
    name: "a stream that was read from",
    run: async (site) => {
      const body = stream(bytes("x"), bytes("y"));
      const reader = body.getReader();
      await reader.read();
      reader.releaseLock();
      return show(await post(site, body));
    },
  },
  {
    name: "a stream that is used twice",
    run: async (site) => {
      const body = stream(bytes("x"));
      const first = await show(await post(site, body));
      return [first, await post(site, body).then(show, describeError)];
    },
  },
  {
    name: "a Request that is used twice at once",
    run: async (site) => {
      const request = new Request(`${site.origin}/x`, { method: "POST", body: "x" });
      const both = [site.fetch(request), site.fetch(request)];
      return Promise.all(both.map((each) => each.then(show, describeError)));
    },
  },
  {
    name: "a Request whose body was read",
    run: async (site) => {
      const request = new Request(`${site.origin}/x`, { method: "POST", body: "x" });
      await request.text();
      return show(await site.fetch(request));
    },
  },
  {
    name: "a Request whose body was read, with another one",
    run: async (site) => {
      const request = new Request(`${site.origin}/x`, { method: "POST", body: "x" });
      await request.text();
      return show(await site.fetch(request, { body: "y" }));
    },
  },
  ...[null, undefined, "", "other"].map((body) => ({
    name: `a Request with a body, and ${JSON.stringify(body)} for that of the init`,
    run: async (site: Site) => {
      const request = new Request(`${site.origin}/x`, { method: "POST", body: "x" });
      return show(await site.fetch(request, { body } as RequestInit));
    },
  })),
  ...["GET", "PUT", undefined].map((method) => ({
    name: `a Request with a body, and ${method} for the method of the init`,
    run: async (site: Site) => {
      const request = new Request(`${site.origin}/x`, { method: "POST", body: "x" });
      return show(await site.fetch(request, { method } as RequestInit));
    },
  })),
  {
    name: "a stream that fails at once",
    run: async (site) => {
      const error = new RangeError("mine");
      const body = new ReadableStream({ start: (controller) => controller.error(error) });
      return show(await post(site, body));
    },
  },
  {
    name: "a stream that fails midway",
    run: async (site) => {
      const body = new ReadableStream({
        async pull(controller) {
          controller.enqueue(bytes("one "));
          await site.server.arrival;
          throw new RangeError("mine");
        },
      });
      return show(await post(site, body));
    },
  },
  {
    name: "a content-type of the caller's own",
    run: async (site) => show(await post(site, form(), { headers: { "content-type": "text/own" } })),
  },
  {
    name: "a content-length that is right",
    run: async (site) => show(await post(site, "hello", { headers: { "content-length": "5" } })),
  },
  {
    name: "a content-length that is wrong",
    run: async (site) => show(await post(site, "hello", { headers: { "content-length": "7" } })),
  },
  {
    name: "an answer before the body has come",
    run: async (site) => {
      const init: Init = { method: "POST", body: stream(bytes("x")), duplex: "half" };
      return show(await site.fetch(`${site.origin}/early`, init));
    },
  },
];

export const bodyCases: readonly Case[] = [...byMethod, ...withoutBody, ...byRequest, ...special];
