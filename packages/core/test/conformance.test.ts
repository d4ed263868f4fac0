import { describe, expect, it } from "vitest";
import type { Backend } from "../src/backend.ts";
import { FairleadError } from "../src/errors.ts";
import { murmur3 } from "../src/hash/murmur3.ts";
import { first } from "../src/strategy/first.ts";
import { maglev } from "../src/strategy/hashing/maglev.ts";
import { rendezvous } from "../src/strategy/hashing/rendezvous.ts";
import { ringHash } from "../src/strategy/hashing/ring-hash.ts";
import { leastRequest } from "../src/strategy/least-request.ts";
import { peakEwma } from "../src/strategy/peak-ewma.ts";
import { random } from "../src/strategy/random.ts";
import { reportedLoad } from "../src/strategy/reported-load/reported-load.ts";
import { roundRobin } from "../src/strategy/round-robin.ts";
import { drawAdmitting } from "../src/strategy/scan.ts";
import type { Picker, Strategy, View } from "../src/strategy/strategy.ts";
import { checkStrategy, type StrategyConformanceOptions } from "../src/testing/index.ts";

const sum = (weights: readonly number[]): number => weights.reduce((total, weight) => total + weight, 0);
const heaviest = (weights: readonly number[]): number => sum(weights) / Math.min(...weights);
/** Backends report 20 to 80 % of load. */
const LOAD_RATIO = 4;
const leftOutRule = (weights: readonly number[]): number => 101 * weights.length;

describe("every strategy of core does what a strategy must", { timeout: 30_000 }, () => {
  it.each<readonly [string, () => Strategy, StrategyConformanceOptions]>([
    ["peakEwma", () => peakEwma(), { pickedWithin: leftOutRule }],
    ["peakEwma of lowest cost", () => peakEwma({ spread: 1 }), { weighted: false, pickedWithin: leftOutRule }],
    ["leastRequest", () => leastRequest(), { pickedWithin: leftOutRule }],
    ["leastRequest with bias", () => leastRequest({ bias: 2 }), { pickedWithin: leftOutRule }],
    ["roundRobin", roundRobin, { pickedWithin: (weights) => 2 * heaviest(weights) + weights.length }],
    [
      "reportedLoad",
      () => reportedLoad({ blackoutMs: 0, updateMs: 100 }),
      { pickedWithin: (weights) => 2 * LOAD_RATIO * heaviest(weights) + weights.length },
    ],
    ["random", random, { pickedWithin: (weights) => 25 * heaviest(weights) }],
    ["first", first, { weighted: false }],
    // Few entries make uneven shares, many make every view dear.
    ["ringHash", () => ringHash({ minSize: 2_048 }), { tolerance: 0.6, schedules: 20 }],
    [
      "ringHash with bounded load",
      () => ringHash({ minSize: 2_048, boundedLoad: 1.25 }),
      { tolerance: 0.6, schedules: 20 },
    ],
    ["maglev", () => maglev({ tableSize: 4_099 }), {}],
    ["maglev by murmur3", () => maglev({ tableSize: 4_099, hash: murmur3 }), {}],
    ["maglev with bounded load", () => maglev({ tableSize: 4_099, boundedLoad: 1.25 }), {}],
    ["rendezvous", () => rendezvous(), {}],
    ["rendezvous with bounded load", () => rendezvous({ boundedLoad: 1.25 }), {}],
  ])("%s", (_, create, options) => {
    checkStrategy(create, options);
  });
});

/** By lot, which is right in every way; what `change` makes of the picker is what is wrong. */
function spoilt(change: (picker: Required<Pick<Picker, "pick">>, view: View) => Partial<Picker>): () => Strategy {
  return () => ({
    name: "spoilt",
    build: (view) => {
      const picker = byLot(view);
      return { ...picker, ...change(picker, view) };
    },
  });
}

function byLot(view: View): Picker {
  return { pick: (request, nowMs) => view.backends[drawAdmitting(view, request, nowMs)] };
}

/** The first at or after `start` that admits. */
function nextFrom({ backends }: View, start: number, ...args: Parameters<Picker["pick"]>): Backend | undefined {
  const turned = [...backends.slice(start % backends.length), ...backends.slice(0, start % backends.length)];
  return turned.find((backend) => backend.admits(...args));
}

const raise = (): never => {
  throw new Error("out of order");
};

/** A digest that only the declaration needs. */
const HASH = { name: "none", digest: () => {} };

interface Broken {
  readonly what: string;
  readonly create: () => Strategy;
  readonly options?: StrategyConformanceOptions;
  /** Of the rule that finds it. */
  readonly rule: string;
  readonly says: RegExp;
}

const ADMITS = "picks a backend of the view that admits the call";

const BROKEN: readonly Broken[] = [
  { what: "throws", create: spoilt(() => ({ pick: raise })), rule: ADMITS, says: /pick threw Error: out of order/ },
  {
    what: "throws while it prepares",
    create: () => ({ name: "spoilt", build: raise }),
    rule: ADMITS,
    says: /build threw Error: out of order/,
  },
  {
    what: "sorts the backends of the view in place",
    create: spoilt((_, { backends }) => {
      (backends as Backend[]).sort((a, b) => b.weight - a.weight);
      return {};
    }),
    rule: ADMITS,
    says: /build threw TypeError/,
  },
  {
    what: "keeps to a backend that another view has",
    create: () => {
      let kept: Backend | undefined;
      return {
        name: "spoilt",
        build: (view) => ({
          pick: (request, nowMs) => {
            if (kept?.admits(request, nowMs) !== true) kept = nextFrom(view, 0, request, nowMs);
            return kept;
          },
        }),
      };
    },
    rule: ADMITS,
    says: /which is not in the view/,
  },
  {
    what: "never asks the gate",
    create: spoilt((_, { backends, random: source }) => ({
      pick: ({ tried }) => backends.filter((backend) => tried?.has(backend) !== true)[source.next() < 0.5 ? 0 : 1],
    })),
    rule: ADMITS,
    says: /which does not admit the call/,
  },
  {
    what: "sends a retry where the call has been",
    create: spoilt((picker) => ({ pick: (request, nowMs) => picker.pick({ ...request, tried: undefined }, nowMs) })),
    rule: ADMITS,
    says: /which the call has tried/,
  },
  {
    what: "gives up after two closed gates",
    create: spoilt((_, { backends }) => ({
      pick: (request, nowMs) => backends.slice(0, 2).find((backend) => backend.admits(request, nowMs)),
    })),
    rule: ADMITS,
    says: /nobody was picked among \d+, by a \w+, though b\d+ admits the call/,
  },
  {
    what: "counts scores short",
    create: spoilt(() => ({ scores: () => [1] })),
    rule: ADMITS,
    says: /scores gave 1 numbers for \d+ backends/,
  },
  {
    what: "gives scores that are no numbers",
    create: spoilt((_, { backends }) => ({ scores: () => backends.map(() => 0 / 0) })),
    rule: ADMITS,
    says: /scores gave NaN/,
  },
  {
    what: "keeps indexes in a byte",
    create: spoilt((_, { backends }) => ({
      pick: (request, nowMs) => backends.find((_backend, index) => backends[index & 255]?.admits(request, nowMs)),
    })),
    rule: "does so among 1,000 backends",
    says: /nobody was picked among \d{3}/,
  },
  {
    what: "draws from a generator of its own",
    create: spoilt((_, view) => ({
      pick: (request, nowMs) => nextFrom(view, Math.floor(Math.random() * view.backends.length), request, nowMs),
    })),
    rule: "makes the same picks again from the same seed",
    says: /pick \d+ of \d+ went to \w+ first, to \w+ then/,
  },
  {
    what: "moves on when peeked at",
    create: spoilt((_, view) => {
      let turn = 0;
      const pick: Picker["pick"] = (request, nowMs) => nextFrom(view, turn++, request, nowMs);
      return { pick, peek: pick };
    }),
    rule: "leaves no trace of `peek` and `scores`",
    says: /went to \w+ unasked, to \w+ asked/,
  },
  {
    what: "draws for its scores",
    create: spoilt((_, { backends, random: source }) => ({ scores: () => backends.map(() => source.next()) })),
    rule: "leaves no trace of `peek` and `scores`",
    says: /went to \w+ unasked, to \w+ asked/,
  },
  {
    what: "foretells somebody else",
    create: spoilt((_, view) => ({ peek: (...args) => nextFrom(view, 0, ...args) })),
    rule: "foretells by `peek` what `pick` returns",
    says: /\d+ of \d+ peeks were wrong/,
  },
  {
    what: "takes turns over both kinds together",
    create: () => {
      let turn = 0;
      return {
        name: "spoilt",
        build: (view) => ({ pick: (request, nowMs) => nextFrom(view, turn++, request, nowMs) }),
      };
    },
    rule: "keeps the picks of requests apart from connections",
    says: /went to \w+ without connections, to \w+ with connections/,
  },
  {
    what: "goes by the requests of a backend when it places connections",
    create: spoilt((_, { backends }) => ({
      pick: (request, nowMs) =>
        backends
          .filter((backend) => backend.admits(request, nowMs))
          .sort((a, b) => a.inFlight("request") - b.inFlight("request"))[0],
    })),
    rule: "keeps the picks of connections apart from requests",
    says: /went to \w+ without requests, to \w+ with requests/,
  },
  {
    what: "hashes, but draws",
    create: () => ({ name: "spoilt", hash: HASH, build: byLot }),
    rule: "with `hash` keeps a key on its backend",
    says: /went to \w+ at first, to \w+ in the same view/,
  },
  {
    what: "places keys anew in every view",
    create: () => ({
      name: "spoilt",
      hash: HASH,
      build: (view) => {
        const start = Math.floor(view.random.next() * 1_000);
        return { pick: (request, nowMs) => nextFrom(view, start, request, nowMs) };
      },
    }),
    rule: "with `hash` keeps a key on its backend",
    says: /went to \w+ at first, to \w+ in a new view of the same backends/,
  },
  {
    what: "leaves keys where they fled to",
    create: () => {
      const places = new Map<string, string>();
      return {
        name: "spoilt",
        hash: HASH,
        build: (view) => ({
          pick: (request, nowMs) => {
            const { hashKey = "" } = request;
            const kept = view.backends.find(({ id }) => id === places.get(hashKey));
            const chosen = kept?.admits(request, nowMs) === true ? kept : nextFrom(view, 0, request, nowMs);
            if (chosen !== undefined) places.set(hashKey, chosen.id);
            return chosen;
          },
        }),
      };
    },
    rule: "with `hash` keeps a key on its backend",
    says: /went to \w+ at first, to \w+ when everybody worked again/,
  },
  {
    what: "takes no notice of weights",
    create: spoilt((_, view) => {
      let turn = 0;
      return { pick: (request, nowMs) => nextFrom(view, turn++, request, nowMs) };
    }),
    rule: "shares calls by weight\n",
    says: /b\d+ has weight \d of \d+, so [\d.]+ % of the calls; it got [\d.]+ %/,
  },
  {
    what: "hashes, but gives one backend most of the keys",
    create: () => ({
      name: "spoilt",
      hash: HASH,
      build: (view) => ({
        pick: (request, nowMs) => nextFrom(view, request.hashKey?.endsWith("0") === true ? 1 : 0, request, nowMs),
      }),
    }),
    rule: "shares calls by weight\n",
    says: /of the calls; it got [\d.]+ %/,
  },
  {
    what: "begins its turns again with every view",
    create: spoilt((_, view) => {
      const order = view.backends.flatMap((backend, index) =>
        Array.from({ length: view.weights[index] ?? 1 }, () => backend),
      );
      let turn = 0;
      return {
        pick: (request, nowMs) => nextFrom({ ...view, backends: order }, turn++, request, nowMs),
      };
    }),
    rule: "shares calls by weight while the view changes\n",
    says: /of the calls; it got [\d.]+ %/,
  },
  {
    what: "shuns for good who was ever slow",
    create: () => {
      const slow = new WeakSet<Backend>();
      return {
        name: "spoilt",
        build: (view) => ({
          pick: (request, nowMs) => {
            for (const backend of view.backends) if (backend.latency.read(nowMs) > 400) slow.add(backend);
            const fast = view.backends.filter((backend) => !slow.has(backend));
            return nextFrom({ ...view, backends: [...fast, ...view.backends] }, 0, request, nowMs);
          },
        }),
      };
    },
    options: { weighted: false, pickedWithin: leftOutRule },
    rule: "picks everybody that works within `pickedWithin` calls",
    says: /worked for 30 s and \d+ calls, one per \d+ ms, and got none/,
  },
  {
    what: "begins its turns again with every view, and promises nothing of shares",
    create: spoilt((_, view) => {
      let turn = 0;
      return { pick: (request, nowMs) => nextFrom(view, turn++, request, nowMs) };
    }),
    options: { weighted: false, pickedWithin: leftOutRule },
    rule: "picks everybody within `pickedWithin` calls while the view changes",
    says: /worked for 30 s and \d+ calls, one per \d+ ms, and got none/,
  },
];

/** What is said about each rule that was broken. */
function complaint(create: () => Strategy, options: StrategyConformanceOptions = {}): string {
  try {
    checkStrategy(create, options);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

describe("a strategy is refused that", () => {
  it.each(BROKEN)("$what", ({ create, options, rule, says }) => {
    const message = complaint(create, { schedules: 5, ...options });
    const said = message.slice(message.indexOf(rule)).split("\n")[1];
    expect(message).toContain(rule);
    expect(said).toMatch(says);
  });
});

describe("what is said of a strategy that is wrong", () => {
  const twoFaults = spoilt(({ pick }, { backends }) => ({
    pick: (request, nowMs) => pick({ ...request, tried: undefined }, nowMs),
    peek: () => backends[0],
  }));

  it("names the strategy and every rule that it breaks", () => {
    const message = complaint(twoFaults);
    expect(message).toContain("strategy spoilt does not do what a strategy must:");
    expect(message).toContain(ADMITS);
    expect(message).toContain("foretells by `peek`");
  });

  it("can be seen again with its seed", () => {
    const message = complaint(twoFaults, { seed: 70 });
    const [, said, seed] = /\n {4}(.*) \(again with \{ seed: (\d+), schedules: 1 \}\)/.exec(message) ?? [];
    expect(Number(seed)).toBeGreaterThanOrEqual(70);
    expect(complaint(twoFaults, { seed: Number(seed), schedules: 1 })).toContain(said);
  });
});

describe("the options of checkStrategy", () => {
  it("are checked all at once", () => {
    const options = { schedules: 0, tolerance: -1, weigthed: false } as StrategyConformanceOptions;
    expect(() => checkStrategy(random, options)).toThrow(FairleadError);
    expect(complaint(random, options)).toMatch(/3 problems(.|\n)*did you mean `weighted`/);
  });
});
