import { describe, expect, it } from "vitest";

import { isName, nameOf } from "./names";

describe("names", () => {
  it.each([
    ["Telco Customer-Churn.csv", "telco-customer-churn"],
    ["adult.train.csv.gz", "adult-train"],
    ["数据.csv", "data"],
    ["..%2f<img>.tsv", "2f-img"],
    [`${"x".repeat(200)}.csv`, "x".repeat(63)],
  ])("makes a name that is taken of %s", (file, name) => {
    expect(nameOf(file)).toBe(name);
    expect(isName(nameOf(file))).toBe(true);
  });
});
