import { createBalancer, createRequest } from "fairlead";
import { BalancedPool } from "undici";
import { BalancedPool as BalancedPoolOf7 } from "undici7";

/** A way of calling the backends of one upstream over one connection to each. */
export interface Contestant {
  readonly name: string;
  connect(urls: readonly string[]): Client;
}

export interface Client {
  /** Makes one safe call. Resolves to its status. */
  call(): Promise<number>;
  close(): Promise<void>;
}

const PATH = "/v1/orders/7";

export const ours: Contestant = {
  name: "fairlead",
  connect: (urls) => {
    const orders = createBalancer({ name: "orders", backends: urls });
    const request = createRequest(orders, { pool: { connections: 1 } });
    return {
      call: async () => {
        const { statusCode, body } = await request(PATH);
        await body.text();
        return statusCode;
      },
      close: () => orders.close({ drainMs: 0 }),
    };
  },
};

export const contestants: readonly Contestant[] = [
  ours,
  balancedPool("undici 8 BalancedPool", BalancedPool),
  balancedPool("undici 7 BalancedPool", BalancedPoolOf7),
];

function balancedPool(name: string, Class: typeof BalancedPool | typeof BalancedPoolOf7): Contestant {
  return {
    name,
    connect: (urls) => {
      // The same in both, but not to the compiler.
      const pool = new Class([...urls], { connections: 1 }) as BalancedPool;
      return {
        call: async () => {
          const { statusCode, body } = await pool.request({ path: PATH, method: "GET" });
          await body.text();
          return statusCode;
        },
        close: () => pool.destroy(),
      };
    },
  };
}
