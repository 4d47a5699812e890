/** Models and their versions. */

import type { Area } from "../../app/area";

export const models: Area = {
  name: "models",
  menu: [],
  routes: [],
};
