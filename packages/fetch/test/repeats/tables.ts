import { BODIES, clients } from "./clients.ts";
import { FAILURES } from "./failures.ts";
import { isIdempotent, isTaken, METHODS, type RepeatingCall } from "./rule.ts";

/** What became of one call: how many requests came where. */
export interface SeenCall extends RepeatingCall {
  /** At the backend that fails. */
  readonly atFirst: number;
  readonly elsewhere: number;
}

/** The tables of the documentation, as they follow from what was seen. */
export function tablesOf(seen: readonly SeenCall[]): readonly (readonly string[])[] {
  const calls = seen.filter(isTaken);
  const sent = calls.filter(({ failure }) => failure.sent === true);
  const unsent = calls.filter(({ failure }) => failure.sent === false && failure.isUnproven !== true);
  const names = clients.map(({ name }) => `\`${name}\``);
  const perClient = (some: readonly SeenCall[]): string[] =>
    clients.map((client) => repeatedOf(some.filter((call) => call.client === client)));
  return [
    ["method", "never sent", "sent"],
    ...METHODS.map((method) => {
      const own = (call: SeenCall): boolean => call.method === method && call.body === "none";
      return [method, repeatedOf(unsent.filter(own)), repeatedOf(sent.filter(own))];
    }),
    ["body", ...names],
    ...BODIES.map((body) => [body, ...perClient(sent.filter((call) => call.body === body))]),
    ["failure", ...names],
    ...FAILURES.map((failure) => {
      const own = calls.filter((call) => call.failure === failure);
      return [
        failure.name,
        ...(failure.sent === undefined ? clients.map(() => "either") : perClient(own).map(sentOrNot)),
      ];
    }),
  ];
}

function repeatedOf(calls: readonly SeenCall[]): string {
  if (calls.length === 0) return "not taken";
  const repeated = calls.filter(({ elsewhere }) => elsewhere > 0);
  if (repeated.length === 0) return "no";
  if (repeated.length === calls.length) return "yes";
  const harmless = calls.filter(isIdempotent);
  return repeated.every(isIdempotent) && repeated.length === harmless.length ? "idempotent methods" : "some";
}

/** Only what was never sent is repeated whatever the call. */
function sentOrNot(repeated: string): string {
  return repeated === "yes" ? "never sent" : "sent";
}
