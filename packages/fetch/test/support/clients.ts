import { text } from "node:stream/consumers";
import type { Target } from "@fairlead/core";
import { Agent, type Dispatcher, type Pool, fetch as undiciFetch, request as undiciRequest } from "undici";
import * as undici7 from "undici7";
import { type ClientOptions, createFetch, type FairleadInit } from "../../src/index.ts";
import { BalancedDispatcher, balance, createRequest, undiciTransport } from "../../src/undici/index.ts";

interface TestInit {
  readonly method?: string;
  readonly body?: string | null;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
  readonly fairlead?: FairleadInit;
}

interface Answer {
  readonly status: number;
  text(): Promise<string>;
}

/** One way of making calls through a balancer or router. */
export interface TestClient {
  readonly name: string;
  /** Whether it knows for sure what was never sent. */
  readonly knowsSent: boolean;
  connect(
    target: Target,
    pool?: Pool.Options,
    options?: ClientOptions,
  ): (path: string, init?: TestInit) => Promise<Answer>;
}

const plain: TestClient = {
  name: "createFetch",
  knowsSent: false,
  connect: (target, _pool, options) => createFetch(target, options),
};

const undici: TestClient = {
  name: "createFetch(undiciTransport)",
  knowsSent: true,
  connect: (target, pool, options) => createFetch(target, { ...options, fetch: undiciTransport({ pool }) }),
};

const undiciOwn: TestClient = {
  name: "createFetch(undiciTransport(undici.fetch))",
  knowsSent: true,
  connect: (target, pool, options) =>
    createFetch(target, {
      ...options,
      fetch: undiciTransport({ pool, fetch: undiciFetch as unknown as typeof fetch }),
    }),
};

const request: TestClient = {
  name: "createRequest",
  knowsSent: true,
  connect: (target, pool, options) => {
    const send = createRequest(target, { ...options, pool });
    return async (path, init) => answerOf(await send(path, init as never));
  },
};

const dispatcher: TestClient = {
  name: "undici.request through BalancedDispatcher",
  knowsSent: true,
  connect: (target, pool, options) => through(target, new BalancedDispatcher(target, { ...options, pool })),
};

const interceptor: TestClient = {
  name: "undici.request through balance()",
  knowsSent: true,
  connect: (target, pool, options) =>
    through(target, new Agent({ ...pool, headersTimeout: 0 }).compose(balance(target, options))),
};

/** Over connections of undici 7, whose errors are not all those of 8. */
const interceptor7: TestClient = {
  name: "undici 7's request through balance()",
  knowsSent: true,
  connect: (target, pool, options) => {
    const agent = new undici7.Agent({ ...(pool as unknown as undici7.Agent.Options), headersTimeout: 0 });
    const own = agent.compose(balance(target, options) as unknown as undici7.Dispatcher.DispatcherComposeInterceptor);
    return through(target, own as unknown as Dispatcher, undici7.request as unknown as typeof undiciRequest);
  },
};

const fetched: TestClient = {
  name: "fetch through BalancedDispatcher",
  knowsSent: true,
  connect: (target, pool, options) => {
    const own = new BalancedDispatcher(target, { ...options, pool });
    return (path, init) => fetch(new URL(path, target.origin), { ...init, dispatcher: own } as RequestInit);
  },
};

/** Every way there is. */
export const clients: readonly TestClient[] = [
  plain,
  undici,
  undiciOwn,
  request,
  dispatcher,
  interceptor,
  interceptor7,
  fetched,
];

function through(
  target: Target,
  own: Dispatcher,
  send: typeof undiciRequest = undiciRequest,
): ReturnType<TestClient["connect"]> {
  return async (path, { method = "GET", body = null, signal = null, headers = {} } = {}) => {
    const options = { method, body, signal, headers, dispatcher: own };
    return answerOf(await send(new URL(path, target.origin), options));
  };
}

function answerOf({ statusCode, body }: Dispatcher.ResponseData): Answer {
  return { status: statusCode, text: () => text(body) };
}
