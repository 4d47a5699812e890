import { describe, expect, it } from "vitest";

import { type Credential, fromText, keepFresh, ofKey, ofTokens, toText, type Tokens } from "./credential";

const TOKENS: Tokens = { access_token: "first", refresh_token: "again", expires_in: 900 };

describe("a credential", () => {
  it("is stored and read again, a key as it is", () => {
    expect(fromText(toText(ofKey("aim_1")))).toEqual(ofKey("aim_1"));
    expect(toText(ofKey("aim_1"))).toBe("aim_1");
    const session = ofTokens(TOKENS, 1000);
    expect(fromText(toText(session))).toEqual(session);
    expect(fromText("{}")).toEqual(ofKey("{}"));
  });

  it("of a key is never refreshed", async () => {
    const fresh = keepFresh(ofKey("aim_1"), () => Promise.reject(new Error("not asked")), () => undefined, () => 1e15);
    expect(await fresh()).toBe("aim_1");
  });

  it("of a session is refreshed once before it ends, for all that wait", async () => {
    let now = 0;
    let count = 0;
    const kept: Credential[] = [];
    const refresh = (token: string): Promise<Tokens> => {
      expect(token).toBe("again");
      count += 1;
      return Promise.resolve({ ...TOKENS, access_token: `fresh ${count}` });
    };
    const fresh = keepFresh(ofTokens(TOKENS, now), refresh, (each) => kept.push(each), () => now);
    now = 800_000;
    expect(await fresh()).toBe("first");
    now = 850_000;
    expect(await Promise.all([fresh(), fresh(), fresh()])).toEqual(["fresh 1", "fresh 1", "fresh 1"]);
    expect(kept.map((each) => each.expiresAt)).toEqual([1_750_000]);
    now = 3_000_000;
    expect(await fresh()).toBe("fresh 2");
  });

  it("is tried again after a refresh that failed", async () => {
    let isAway = true;
    const refresh = (): Promise<Tokens> => (isAway ? Promise.reject(new Error("away")) : Promise.resolve({ ...TOKENS, access_token: "back" }));
    const fresh = keepFresh(ofTokens(TOKENS, 0), refresh, () => undefined, () => 1e9);
    await expect(fresh()).rejects.toThrow("away");
    isAway = false;
    expect(await fresh()).toBe("back");
  });
});
