import { describe, expect, it } from "vitest";

import { cellsOf, valuesOf, wrongFor } from "./fixing";

const COLUMNS = [
  { name: "id", type: "integer" as const },
  { name: "amount", type: "number" as const },
  { name: "paid", type: "boolean" as const },
  { name: "city", type: "string" as const },
];
const ITEM = { file: "orders.csv", line: 3, reason: "not a number", position: 0 };

describe("fixing a row", () => {
  it("shows the cells as found, also of columns that are gone", () => {
    expect(cellsOf({ ...ITEM, values: { id: "1", amount: "12,5", old: null } }, COLUMNS)).toEqual({ id: "1", amount: "12,5", paid: "", city: "", old: "" });
    expect(cellsOf({ ...ITEM, text: "7, 1.5, true, Oslo, extra" }, COLUMNS)).toEqual({ id: "7", amount: "1.5", paid: "true", city: "Oslo" });
  });

  it("says what is wrong by the column's type, before it is sent", () => {
    expect(wrongFor("12,5", "number")).toBe("number");
    expect(wrongFor("1.5", "integer")).toBe("integer");
    expect(wrongFor("yes", "boolean")).toBe("boolean");
    expect(wrongFor("", "integer")).toBeNull();
    expect(wrongFor("anything", "string")).toBeNull();
  });

  it("sends values of the columns' types, and leaves empty cells out", () => {
    expect(valuesOf({ id: "7", amount: "1.5", paid: "True", city: " Oslo", more: "x" }, COLUMNS)).toEqual({ id: 7, amount: 1.5, paid: true, city: " Oslo" });
    expect(valuesOf({ id: "9007199254740993", amount: "", city: "" }, COLUMNS)).toEqual({ id: "9007199254740993" });
  });
});
