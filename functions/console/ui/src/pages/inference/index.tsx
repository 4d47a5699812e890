/** Endpoints. */

import type { Area } from "../../app/area";

export const inference: Area = {
  name: "inference",
  menu: [],
  routes: [],
};
