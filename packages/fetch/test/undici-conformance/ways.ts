import type { Balancer } from "@fairlead/core";
import { Agent, type Dispatcher, request } from "undici";
import { BalancedDispatcher, balance, createRequest } from "../../src/undici/index.ts";

/** A way of asking; `bare` goes to the backend itself. */
export interface Way {
  readonly name: string;
  open(balancer: Balancer, backendUrl: string): (path: string, options: object) => Promise<Dispatcher.ResponseData>;
}

export const bare: Way = {
  name: "undici",
  open: (_balancer, url) => {
    const dispatcher = new Agent();
    return (path, options) => request(url + path, { ...options, dispatcher });
  },
};

export const ways: readonly Way[] = [
  {
    name: "BalancedDispatcher",
    open: (balancer) => {
      const dispatcher = new BalancedDispatcher(balancer);
      return (path, options) => request(`http://orders${path}`, { ...options, dispatcher });
    },
  },
  {
    name: "balance()",
    open: (balancer) => {
      const dispatcher = new Agent().compose(balance(balancer));
      return (path, options) => request(`http://orders${path}`, { ...options, dispatcher });
    },
  },
  {
    name: "createRequest",
    open: (balancer) => {
      const ask = createRequest(balancer);
      return (path, options) => ask(`http://orders${path}`, options);
    },
  },
];

/** What a caller sees of an answer. */
export async function seenOf(answer: Promise<Dispatcher.ResponseData>): Promise<Record<string, unknown>> {
  let data: Dispatcher.ResponseData;
  try {
    data = await answer;
  } catch (error) {
    return { error: told(error) };
  }
  const { statusCode, headers, body, trailers, opaque } = data;
  const head = {
    statusCode,
    statusText: (data as { statusText?: string }).statusText,
    headers: stable(headers),
    opaque,
  };
  try {
    const text = (await body.text()).replaceAll(/----formdata-\S+/g, "boundary");
    return { ...head, body: text, trailers: { ...trailers } };
  } catch (error) {
    return { ...head, broken: told(error) };
  }
}

/** Without what no two answers have in common. */
function stable(headers: object): unknown {
  if (Array.isArray(headers)) return headers.map(String).filter((item) => !item.endsWith("GMT"));
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "date"));
}

function told(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, code } = error as Error & { readonly code?: unknown };
  return { name, code, message: message.replaceAll(/127\.0\.0\.1:\d+/g, "host") };
}
