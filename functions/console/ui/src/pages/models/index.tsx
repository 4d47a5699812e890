/** Models and their versions. */

import type { Area } from "../../app/area";

export const models: Area = {
  name: "models",
  menu: [
    { text: "models.title", href: "/models" },
    { text: "import.title", href: "/models/new/import", role: "developer" },
  ],
  routes: [
    { path: "/models", lazy: async () => ({ Component: (await import("./ModelsPage")).ModelsPage }) },
    // NOTE: no model can be in its way: below a model are its versions and what compares them.
    { path: "/models/new/import", lazy: async () => ({ Component: (await import("./ImportPage")).ImportPage }) },
    { path: "/models/:model", lazy: async () => ({ Component: (await import("./ModelPage")).ModelPage }) },
    { path: "/models/:model/versions", lazy: async () => ({ Component: (await import("./ModelPage")).ModelPage }) },
    { path: "/models/:model/versions/:number", lazy: async () => ({ Component: (await import("./VersionPage")).VersionPage }) },
    { path: "/models/:model/compare", lazy: async () => ({ Component: (await import("./CompareVersionsPage")).CompareVersionsPage }) },
  ],
};
