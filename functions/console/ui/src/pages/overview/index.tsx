/** The first page: how the four centres are. */

import type { Area } from "../../app/area";

export const overview: Area = {
  name: "overview",
  menu: [{ text: "title", href: "/" }],
  routes: [{ path: "/", lazy: async () => ({ Component: (await import("./Overview")).Overview }) }],
};
