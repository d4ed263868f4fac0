import { subscribe, unsubscribe } from "node:diagnostics_channel";

/** Something that this process did to a backend. */
export interface Use {
  readonly atMs: number;
  readonly port: number;
}

interface SendHeaders {
  readonly request: { readonly origin: string | URL; readonly path: string };
}

interface BeforeConnect {
  readonly connectParams: { readonly port: string | number };
}

/** What goes out to some ports, as undici's diagnostics channels tell it: fairlead's own figures have no part in it. */
export class Wire {
  /** Requests sent and connections begun, in order. */
  readonly uses: Use[] = [];
  /** How often each path was sent. */
  readonly sent: Map<string, number> = new Map();
  readonly #ports: ReadonlySet<number>;

  constructor(ports: readonly number[]) {
    this.#ports = new Set(ports);
    subscribe("undici:client:sendHeaders", this.#onSend);
    subscribe("undici:client:beforeConnect", this.#onConnect);
  }

  end(): void {
    unsubscribe("undici:client:sendHeaders", this.#onSend);
    unsubscribe("undici:client:beforeConnect", this.#onConnect);
  }

  readonly #onSend = (message: unknown): void => {
    const { origin, path } = (message as SendHeaders).request;
    if (this.#note(Number(new URL(origin).port))) this.sent.set(path, (this.sent.get(path) ?? 0) + 1);
  };

  readonly #onConnect = (message: unknown): void => {
    this.#note(Number((message as BeforeConnect).connectParams.port));
  };

  #note(port: number): boolean {
    const ours = this.#ports.has(port);
    if (ours) this.uses.push({ atMs: performance.now(), port });
    return ours;
  }
}
