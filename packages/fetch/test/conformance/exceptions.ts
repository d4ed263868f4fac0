import type { Case, Observation } from "./site.ts";

/** A difference that docs/fetch.md names. */
export interface Exception {
  readonly cases: readonly string[];
  readonly why: string;
  /** What is left of an observation when the difference is taken away. */
  readonly without: (observation: Observation) => unknown;
}

function without(...names: readonly string[]): (observation: Observation) => unknown {
  return (observation) =>
    JSON.parse(JSON.stringify(observation, (key, value: unknown) => (names.includes(key) ? undefined : value)));
}

const REFUSALS = [
  "a text for an init",
  "a number for an init",
  "redirect of nonsense",
  "no arguments",
  "credentials",
  "what it never throws",
].map((name) => `input: ${name}`);

const BYTES = ["bytes", "a part of a buffer", "a DataView", "an ArrayBuffer", "a Buffer"];
const ON_ANOTHER_SITE = ["input: a Request with a referrer on another site"];
const UNSAFE_URL = ["input: a Request with referrerPolicy unsafe-url"];
const NO_REFERRER = ["input: a Request with referrerPolicy no-referrer"];

/** The Node that runs this. */
const node = Number(process.versions.node.split(".")[0]);

function onlyIn(nodes: readonly number[], exception: Exception): readonly Exception[] {
  return nodes.includes(node) ? [exception] : [];
}

/** Of `createFetch`, whatever the transport. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    cases: [...REFUSALS, "abort: a signal that is none"],
    why: "a TypeError about arguments has words, and a cause, of our own",
    without: without("message", "code"),
  },
  ...onlyIn([24], {
    cases: [...ON_ANOTHER_SITE, ...UNSAFE_URL],
    why: "Node 24 forgets the referrer of a Request, the standard does not",
    without: without("referer"),
  }),
  ...onlyIn([22], {
    cases: BYTES.map((kind) => `redirect: 307 after a Request with ${kind}`),
    why: "Node 22 can't send the bytes of a Request again",
    without: ({ seen }) => seen[0],
  }),
];

/** Of `createFetch` without undici's transport. */
export const PLAIN_EXCEPTIONS: readonly Exception[] = [
  {
    cases: ["response: properties that nobody may set"],
    why: "the properties of a response are its own, not its class's",
    without: without("message"),
  },
];

/** Of a dispatcher in the init of a `fetch`. */
export const DISPATCHER_EXCEPTIONS: readonly Exception[] = [
  {
    cases: ["input: credentials"],
    why: "the words of the error name the logical URL",
    without: without("message"),
  },
  ...onlyIn([22, 26], {
    cases: [...ON_ANOTHER_SITE, ...UNSAFE_URL, ...(node === 22 ? NO_REFERRER : [])],
    why: "an init, which a dispatcher needs, makes them forget the referrer of a Request",
    without: without("referer"),
  }),
];

/** There is no place for a dispatcher in these. */
const WITHOUT_PLACE = [
  "a text for an init",
  "a number for an init",
  "a function for an init",
  "an init that inherits",
  "an init of a class",
  "its length",
  "a Request for an init",
].map((name) => `input: ${name}`);

export function takesDispatcher({ name }: Case): boolean {
  return !WITHOUT_PLACE.includes(name);
}
