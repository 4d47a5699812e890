/** Settings, people, audit, costs, system. */

import type { Area } from "../../app/area";

export const management: Area = {
  name: "management",
  menu: [],
  routes: [],
};
