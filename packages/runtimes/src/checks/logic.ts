import {
  createBalancer,
  createRandom,
  first,
  leastRequest,
  maglev,
  murmur3,
  peakEwma,
  random,
  rendezvous,
  ringHash,
  roundRobin,
  type Strategy,
  xxh64,
} from "@fairlead/core";
import { checkStrategy, virtualClock } from "@fairlead/core/testing";
import { type Check, equal, ok, rejection } from "../check.ts";

type Conformance = NonNullable<Parameters<typeof checkStrategy>[1]>;

/** Few schedules: what a strategy does depends on the engine alone here, and core's own tests try many. */
const strategies: Readonly<Record<string, readonly [() => Strategy, Conformance]>> = {
  peakEwma: [() => peakEwma(), {}],
  leastRequest: [() => leastRequest(), {}],
  roundRobin: [roundRobin, {}],
  random: [random, {}],
  first: [first, { weighted: false }],
  ringHash: [() => ringHash({ minSize: 1_024 }), { tolerance: 0.6 }],
  maglev: [() => maglev({ tableSize: 1_009 }), {}],
  rendezvous: [() => rendezvous(), {}],
};

const SENTENCE = "Call me Ishmael. Some years ago--never mind how long precisely-";

function digest(hash: typeof xxh64, key: string, seed: number): string {
  const words = new Uint32Array(2);
  hash.digest(key, seed, words);
  return [...words].map((word) => word.toString(16)).join(" ");
}

export const logic: readonly Check[] = [
  ...Object.entries(strategies).map(([name, [create, options]]) => ({
    name: `does by ${name} what a strategy must`,
    run: () => checkStrategy(create, { schedules: 1, ...options }),
  })),
  {
    name: "hashes as published: XXH64 and MurmurHash3",
    run: () => {
      // github.com/cespare/xxhash, computed there by the C library.
      equal(digest(xxh64, "", 0), "51d8e999 ef46db37");
      equal(digest(xxh64, SENTENCE, 0), "70d6fd96 2a2e854");
      equal(digest(xxh64, SENTENCE, 54_321), "daf5d1cd 1736d186");
      // Ian Boyd's vectors.
      equal(digest(murmur3, "ππππππππ", 0x9747b28c).split(" ")[0], "d58063c1");
    },
  },
  {
    name: "draws the same numbers from the same seed, and others from none",
    run: () => {
      const drawn = createRandom(1);
      equal([drawn.next(), drawn.next()], [0.7213824954815209, 0.9982774262316525]);
      ok(createRandom().next() !== createRandom().next(), "two generators without a seed differ");
    },
  },
  {
    name: "runs a call on a clock of its own",
    run: async () => {
      const clock = virtualClock();
      const orders = createBalancer({
        name: "orders",
        backends: ["http://127.0.0.1:1"],
        clock,
        attemptTimeoutMs: 5_000,
      });
      const call = rejection(orders.call(() => new Promise(() => {})));
      await clock.advance(5_000);
      equal((await call).code, "FAIRLEAD_ERR_TIMEOUT");
      await orders.close({ drainMs: 0 });
      equal(clock.pending, 0);
    },
  },
  {
    name: "serves any client by lease, and lets `using` give it back",
    run: async (scene) => {
      const orders = scene.balancer(["a"]);
      const lease = await orders.acquire();
      equal(orders.backends[0]?.inFlight("request"), 1);
      lease.settle({ outcome: "success" });
      // What compilers make of `using`.
      const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");
      lease[dispose]();
      equal(orders.backends[0]?.inFlight("request"), 0);
      ok(orders.tryAcquire()?.release() === undefined, "a lease at once is given back as well");
    },
  },
  {
    name: "explains itself, and shows itself as JSON",
    run: async (scene) => {
      const { orders, get } = scene.open(["a", "b"]);
      await get();
      const snapshot = orders.snapshot();
      equal(JSON.parse(JSON.stringify(snapshot)), snapshot);
      equal(snapshot.calls.succeeded, 1);
      equal(orders.explain().backends.length, 2);
    },
  },
];
