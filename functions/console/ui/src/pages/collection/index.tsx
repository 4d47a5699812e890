/** Sources, datasets, quality, SQL. */

import type { Area } from "../../app/area";

export const collection: Area = {
  name: "collection",
  menu: [
    { text: "datasets.title", href: "/collection/datasets" },
    { text: "upload.title", href: "/collection/upload", role: "collector" },
    { text: "sql.title", href: "/collection/sql" },
    { text: "sources.title", href: "/collection/sources" },
    { text: "triggers.title", href: "/collection/triggers" },
  ],
  routes: [
    { path: "/collection/datasets", lazy: async () => ({ Component: (await import("./datasets/DatasetList")).DatasetList }) },
    { path: "/collection/datasets/:dataset", lazy: async () => ({ Component: (await import("./datasets/DatasetPage")).DatasetPage }) },
    { path: "/collection/upload", lazy: async () => ({ Component: (await import("./upload/UploadPage")).UploadPage }) },
    { path: "/collection/sql", lazy: async () => ({ Component: (await import("./sql/SqlPage")).SqlPage }) },
    { path: "/collection/sources", lazy: async () => ({ Component: (await import("./sources/SourceList")).SourceList }) },
    { path: "/collection/sources/new", lazy: async () => ({ Component: (await import("./sources/CreateSource")).CreateSource }) },
    { path: "/collection/sources/:source", lazy: async () => ({ Component: (await import("./sources/SourcePage")).SourcePage }) },
    { path: "/collection/triggers", lazy: async () => ({ Component: (await import("./triggers/TriggerList")).TriggerList }) },
    { path: "/collection/triggers/new", lazy: async () => ({ Component: (await import("./triggers/CreateTrigger")).CreateTrigger }) },
    { path: "/collection/triggers/:trigger", lazy: async () => ({ Component: (await import("./triggers/TriggerPage")).TriggerPage }) },
  ],
};
