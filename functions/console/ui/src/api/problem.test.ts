import { describe, expect, it } from "vitest";

import { ApiProblem, problemOf, unreachable } from "./problem";

describe("problemOf", () => {
  it("keeps what the API says", async () => {
    const body = JSON.stringify({ code: "stale_revision", detail: "Changed meanwhile.", errors: [{ location: "body.name", message: "too long" }] });
    const problem = await problemOf(new Response(body, { status: 412, headers: { "x-request-id": "r-1", "retry-after": "7" } }));
    expect(problem).toMatchObject({ status: 412, code: "stale_revision", message: "Changed meanwhile.", requestId: "r-1", retryAfterSeconds: 7 });
    expect(problem.errors[0]?.location).toBe("body.name");
  });

  it.each(["<h1>Bad Gateway</h1>", "", '{"code": ', "[]", "null"])("makes something of %j", async (body) => {
    const problem = await problemOf(new Response(body, { status: 502 }));
    expect(problem.code).toBe("unreadable");
    expect(problem.isTransient).toBe(true);
  });
});

it("tells a timeout from no network", () => {
  expect(unreachable(new DOMException("", "TimeoutError")).code).toBe("timeout");
  expect(unreachable(new TypeError("Failed to fetch"))).toBeInstanceOf(ApiProblem);
});
