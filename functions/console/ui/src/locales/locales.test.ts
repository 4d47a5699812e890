import { expect, test } from "vitest";

const FILES = import.meta.glob<object>("./*/*.json", { eager: true, import: "default" });

/** What the API says itself in English: the fields of settings. */
const OF_THE_API = /^(field|fieldHint|subsystem|subsystemHint)\./;

/** Chinese has one form where English has `_one` and `_other`. */
function keysOf(texts: object, path = ""): string[] {
  return Object.entries(texts).flatMap(([key, value]) => (typeof value === "object" ? keysOf(value as object, `${path}${key}.`) : [`${path}${key.replace(/_(one|other)$/, "")}`]));
}

const AREAS = Object.keys(FILES).flatMap((file) => (file.startsWith("./en/") ? [file.slice("./en/".length)] : []));

test.each(AREAS)("every text of %s is there in both languages", (file) => {
  const [english, chinese] = ["en", "zh"].map((language) => [...new Set(keysOf(FILES[`./${language}/${file}`]!))].filter((key) => !OF_THE_API.test(key)).sort());
  expect(chinese).toEqual(english);
});
