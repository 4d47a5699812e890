/** Jobs and studies. */

import type { Area } from "../../app/area";

export const training: Area = {
  name: "training",
  menu: [],
  routes: [],
};
