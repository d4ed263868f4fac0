import { type Case, describeError, type Site, show } from "./site.ts";

const PATHS = [
  "/gzip",
  "/br",
  "/deflate",
  "/zstd",
  "/twice",
  "/unknown-coding",
  "/bad-gzip",
  "/many-codings",
  "/empty",
  "/zero",
  "/long",
  "/json",
  "/bom",
  "/cookies",
  "/headers",
  "/trailers",
  "/early-hints",
  "/processing",
  "/said",
  "/cut",
  "/reset",
  "/nonsense",
];

const STATUSES = [
  200, 201, 202, 203, 204, 205, 206, 207, 226, 300, 304, 400, 401, 403, 404, 407, 410, 418, 451, 501, 505,
];

const get =
  (path: string, init?: RequestInit) =>
  async ({ fetch, origin }: Site) =>
    show(await fetch(origin + path, init));

const plain: readonly Case[] = [
  ...PATHS.flatMap((path) => [
    { name: `GET ${path}`, run: get(path) },
    { name: `HEAD ${path}`, run: get(path, { method: "HEAD" }) },
  ]),
  ...STATUSES.flatMap((status) => [
    { name: `a ${status}`, run: get(`/status/${status}`) },
    { name: `a ${status} to POST`, run: get(`/status/${status}`, { method: "POST", body: "hello" }) },
  ]),
];

const reading =
  (path: string, read: (response: Response) => unknown) =>
  async ({ fetch, origin }: Site): Promise<unknown> => {
    const response = await fetch(origin + path);
    const result = await Promise.resolve()
      .then(() => read(response))
      .catch(describeError);
    const again = await response.text().catch(describeError);
    return { result, used: response.bodyUsed, again };
  };

const shape = (blob: Blob) => blob.text().then((text) => ({ text, type: blob.type, size: blob.size }));

const read = async (reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<string> => {
  let text = "";
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done) return text;
    text += Buffer.from(value).toString("latin1");
  }
};

const bodies: readonly Case[] = [
  { name: "json()", run: reading("/json", (response) => response.json()) },
  { name: "json() of none", run: reading("/x", (response) => response.json()) },
  { name: "json() of nothing", run: reading("/empty", (response) => response.json()) },
  { name: "text() with a byte order mark", run: reading("/bom", (response) => response.text()) },
  { name: "bytes()", run: reading("/bytes", async (response) => [...(await response.bytes())]) },
  {
    name: "arrayBuffer()",
    run: reading("/bytes", async (response) => [...new Uint8Array(await response.arrayBuffer())]),
  },
  { name: "blob()", run: reading("/json", async (response) => shape(await response.blob())) },
  { name: "blob() without a type", run: reading("/bytes", async (response) => shape(await response.blob())) },
  { name: "formData()", run: reading("/form", async (response) => [...(await response.formData())]) },
  { name: "formData() of parts", run: reading("/multipart", async (response) => [...(await response.formData())]) },
  { name: "formData() of none", run: reading("/x", async (response) => [...(await response.formData())]) },
  {
    name: "a long body by a reader",
    run: reading("/long", async ({ body }) => (await read(body?.getReader())).length),
  },
  {
    name: "a body into a buffer of the caller's",
    run: reading("/x", async ({ body }) => {
      const reader = body?.getReader({ mode: "byob" });
      const first = await reader?.read(new Uint8Array(2));
      const second = await reader?.read(new Uint8Array(10));
      const last = await reader?.read(new Uint8Array(1));
      return [first, second, last].map((each) => [each?.done, Buffer.from(each?.value ?? []).toString()]);
    }),
  },
  {
    name: "a body by for await",
    run: reading("/x", async ({ body }) => {
      let text = "";
      for await (const chunk of body ?? []) text += Buffer.from(chunk as Uint8Array).toString();
      return text;
    }),
  },
  { name: "a body that is cancelled", run: reading("/stream", ({ body }) => body?.cancel("enough")) },
  { name: "a body that is locked", run: reading("/x", ({ body }) => body?.getReader() && undefined) },
  {
    name: "a body that is cancelled by its reader",
    run: reading("/stream", async ({ body }) => {
      const reader = body?.getReader();
      await reader?.read();
      await reader?.cancel();
      return reader?.closed;
    }),
  },
  {
    name: "a body through a pipe",
    run: reading("/x", ({ body }) =>
      new Response(body?.pipeThrough(new TextDecoderStream()).pipeThrough(new TextEncoderStream())).text(),
    ),
  },
  {
    name: "two branches of a body",
    run: reading("/x", ({ body }) => Promise.all((body?.tee() ?? []).map((each) => new Response(each).text()))),
  },
  {
    name: "clones",
    run: reading("/json", async (response) => {
      const clone = response.clone();
      const second = clone.clone();
      return [await show(clone), await show(second), response.bodyUsed];
    }),
  },
  {
    name: "a clone that is read after",
    run: reading("/long", async (response) => {
      const clone = response.clone();
      return [(await response.text()).length, (await clone.text()).length];
    }),
  },
  {
    name: "a clone of what was read",
    run: reading("/x", async (response) => {
      await response.text();
      return response.clone();
    }),
  },
  { name: "new Response of a body", run: reading("/x", (response) => new Response(response.body, response).text()) },
  {
    name: "new Response of a response",
    run: reading("/cookies", async (response) => show(new Response(response.body, response))),
  },
];

const objects: readonly Case[] = [
  {
    name: "many cookies",
    run: reading("/cookies", ({ headers }) => [headers.getSetCookie(), headers.get("set-cookie")]),
  },
  { name: "headers that nobody may set", run: reading("/x", ({ headers }) => headers.set("x-a", "1")) },
  { name: "headers that nobody may delete", run: reading("/x", ({ headers }) => headers.delete("content-type")) },
  { name: "headers that nobody may append to", run: reading("/x", ({ headers }) => headers.append("x-a", "1")) },
  { name: "headers of a clone", run: reading("/x", (response) => response.clone().headers.set("x-a", "1")) },
  {
    name: "headers of a response without a body",
    run: reading("/status/204", ({ headers }) => headers.set("x-a", "1")),
  },
  {
    name: "the same headers and body each time",
    run: reading("/x", (response) => [response.headers === response.headers, response.body === response.body]),
  },
  {
    name: "its class",
    run: reading("/x", (response) => [
      response instanceof Response,
      Object.prototype.toString.call(response),
      response.constructor.name,
    ]),
  },
  {
    name: "properties that nobody may set",
    run: reading("/x", (response) => {
      (response as { url: string }).url = "http://mine/";
      return response.url;
    }),
  },
];

export const responseCases: readonly Case[] = [...plain, ...bodies, ...objects].map(({ name, run }) => ({
  name: `response: ${name}`,
  run,
}));
