import { text } from "node:stream/consumers";
import type { Balancer } from "@fairlead/core";
import { Agent, type Dispatcher, type Pool, fetch as undiciFetch, request as undiciRequest } from "undici";
import { createFetch, type FairleadInit } from "../../src/index.ts";
import { BalancedDispatcher, balance, createRequest, undiciTransport } from "../../src/undici/index.ts";

interface TestInit {
  readonly method?: string;
  readonly body?: string | null;
  readonly signal?: AbortSignal;
  readonly fairlead?: FairleadInit;
}

interface Answer {
  readonly status: number;
  text(): Promise<string>;
}

/** One way of making calls through a balancer. */
export interface TestClient {
  readonly name: string;
  /** Whether it knows for sure what was never sent. */
  readonly knowsSent: boolean;
  connect(balancer: Balancer, pool?: Pool.Options): (path: string, init?: TestInit) => Promise<Answer>;
}

const plain: TestClient = {
  name: "createFetch",
  knowsSent: false,
  connect: (balancer) => createFetch(balancer),
};

const undici: TestClient = {
  name: "createFetch(undiciTransport)",
  knowsSent: true,
  connect: (balancer, pool) => createFetch(balancer, { fetch: undiciTransport(balancer, { pool }) }),
};

const undiciOwn: TestClient = {
  name: "createFetch(undiciTransport(undici.fetch))",
  knowsSent: true,
  connect: (balancer, pool) =>
    createFetch(balancer, {
      fetch: undiciTransport(balancer, { pool, fetch: undiciFetch as unknown as typeof fetch }),
    }),
};

const request: TestClient = {
  name: "createRequest",
  knowsSent: true,
  connect: (balancer, pool) => {
    const send = createRequest(balancer, { pool });
    return async (path, init) => answerOf(await send(path, init as never));
  },
};

const dispatcher: TestClient = {
  name: "undici.request through BalancedDispatcher",
  knowsSent: true,
  connect: (balancer, pool) => through(balancer, new BalancedDispatcher(balancer, { pool })),
};

const interceptor: TestClient = {
  name: "undici.request through balance()",
  knowsSent: true,
  connect: (balancer, pool) => through(balancer, new Agent({ ...pool, headersTimeout: 0 }).compose(balance(balancer))),
};

const fetched: TestClient = {
  name: "fetch through BalancedDispatcher",
  knowsSent: true,
  connect: (balancer, pool) => {
    const own = new BalancedDispatcher(balancer, { pool });
    return (path, init = {}) => {
      const { method, body, signal } = init;
      return fetch(new URL(path, balancer.origin), { method, body, signal, dispatcher: own } as RequestInit);
    };
  },
};

/** Every way there is. */
export const clients: readonly TestClient[] = [plain, undici, undiciOwn, request, dispatcher, interceptor, fetched];

function through(balancer: Balancer, own: Dispatcher): ReturnType<TestClient["connect"]> {
  return async (path, { method = "GET", body = null, signal = null } = {}) => {
    const options = { method, body, signal, dispatcher: own };
    return answerOf(await undiciRequest(new URL(path, balancer.origin), options));
  };
}

function answerOf({ statusCode, body }: Dispatcher.ResponseData): Answer {
  return { status: statusCode, text: () => text(body) };
}
