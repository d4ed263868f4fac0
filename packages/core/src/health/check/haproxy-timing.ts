import { OptionCheck } from "../../options.ts";
import type { CheckSchedule } from "./schedule.ts";

/** Milliseconds per unit. */
const UNITS = { us: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const WORDS = ["inter", "fastinter", "downinter", "rise", "fall"] as const;
type Word = (typeof WORDS)[number];

/**
 * The schedule of a HAProxy `server` line, such as `inter 5s fall 3 rise 2`; what it leaves out is as in HAProxy: `inter`
 * 2 s, `fall` 3, `rise` 2, `fastinter` and `downinter` like `inter`. Times without a unit are milliseconds.
 *
 * Source: HAProxy configuration manual, §2.5 "Time format" and §5.2 "Server and default-server options".
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function haproxyTiming(text: string): CheckSchedule {
  const check = new OptionCheck();
  const values = readWords(check, text);
  const ms = (word: Word): number | undefined => timeOf(check, word, values.get(word));
  const count = (word: Word): number | undefined => countOf(check, word, values.get(word));
  const intervalMs = ms("inter") ?? 2_000;
  const timing = {
    intervalMs,
    fastIntervalMs: ms("fastinter") ?? intervalMs,
    downIntervalMs: ms("downinter") ?? intervalMs,
    // HAProxy's own, as long as there is no `timeout check`.
    timeoutMs: intervalMs,
    rise: count("rise") ?? 2,
    fall: count("fall") ?? 3,
  };
  check.throwIfAny("haproxyTiming");
  return timing;
}

function readWords(check: OptionCheck, text: unknown): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  if (typeof text !== "string") {
    check.problem("text", text, "a text such as inter 5s fall 3 rise 2");
    return values;
  }
  const words = text.split(/\s+/).filter((word) => word !== "" && word !== "check");
  for (let index = 0; index < words.length; index += 2) {
    const word = words[index] ?? "";
    // Names it as unknown, and says which one was meant.
    check.record("", { [word]: "" }, WORDS);
    if (values.has(word)) check.problem(word, words[index + 1], "to be there once");
    values.set(word, words[index + 1] ?? "");
  }
  return values;
}

function timeOf(check: OptionCheck, word: Word, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, digits = "", unit = "ms"] = /^(\d+)(us|ms|s|m|h|d)?$/.exec(text) ?? [];
  const ms = Number(digits) * UNITS[unit as keyof typeof UNITS];
  if (ms > 0) return ms;
  check.problem(word, text, "a time above 0 such as 500ms, 5s or 1m");
  return undefined;
}

function countOf(check: OptionCheck, word: Word, text: string | undefined): number | undefined {
  if (text === undefined || /^[1-9]\d{0,5}$/.test(text)) return text === undefined ? undefined : Number(text);
  check.problem(word, text, "a whole number ≥ 1");
  return undefined;
}
