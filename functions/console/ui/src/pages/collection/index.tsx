/** Sources, datasets, quality, SQL. */

import type { Area } from "../../app/area";

export const collection: Area = {
  name: "collection",
  menu: [],
  routes: [],
};
