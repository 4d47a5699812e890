import { describe, expect, it } from "vitest";

import { cellText, isPicture } from "./cells";
import { sortedIndices } from "./RowsTable";

describe("cells (I1, I2)", () => {
  it("cuts what is long and shows what turns the direction of writing", () => {
    expect(cellText("x".repeat(10_000))).toBe(`${"x".repeat(200)}…`);
    expect(cellText("a\u202eb\u0000\nc")).toBe("a�b�↵c");
    expect(cellText({ a: [1] })).toBe('{"a":[1]}');
  });

  it("takes pixels for a picture, and no document", () => {
    expect(isPicture("data:image/png;base64,AAAA")).toBe(true);
    expect(isPicture("data:image/svg+xml;base64,AAAA")).toBe(false);
    expect(isPicture("data:text/html,<script>")).toBe(false);
    expect(isPicture("https://example.com/a.png")).toBe(false);
  });
});

describe("sortedIndices", () => {
  it("orders numbers as numbers, leaves equal ones as they came and puts nothing last, both ways", () => {
    const rows = [[10], [9], [null], [10], [-1]];
    expect([...sortedIndices(rows, 0, false)]).toEqual([4, 1, 0, 3, 2]);
    expect([...sortedIndices(rows, 0, true)]).toEqual([0, 3, 1, 4, 2]);
  });
});
