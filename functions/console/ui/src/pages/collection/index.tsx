/** Sources, datasets, quality, SQL. */

import type { Area } from "../../app/area";

export const collection: Area = {
  name: "collection",
  menu: [
    { text: "datasets.title", href: "/collection/datasets" },
    { text: "upload.title", href: "/collection/upload", role: "collector" },
    { text: "sql.title", href: "/collection/sql" },
  ],
  routes: [
    { path: "/collection/datasets", lazy: async () => ({ Component: (await import("./datasets/DatasetList")).DatasetList }) },
    { path: "/collection/datasets/:dataset", lazy: async () => ({ Component: (await import("./datasets/DatasetPage")).DatasetPage }) },
    { path: "/collection/upload", lazy: async () => ({ Component: (await import("./upload/UploadPage")).UploadPage }) },
    { path: "/collection/sql", lazy: async () => ({ Component: (await import("./sql/SqlPage")).SqlPage }) },
  ],
};
