/** Jobs and studies. */

import type { Area } from "../../app/area";

export const training: Area = {
  name: "training",
  menu: [
    { text: "jobs.title", href: "/training/jobs" },
    { text: "studies.title", href: "/training/studies" },
    { text: "autotrain.title", href: "/training/autotrain", role: "developer" },
    { text: "train.title", href: "/training/train", role: "developer" },
    { text: "search.title", href: "/training/search", role: "developer" },
    { text: "compress.title", href: "/training/compress", role: "developer" },
    { text: "fuse.title", href: "/training/fuse", role: "developer" },
    { text: "decompose.title", href: "/training/decompose", role: "developer" },
    { text: "prepare.title", href: "/training/prepare", role: "developer" },
  ],
  routes: [
    { path: "/training/jobs", lazy: async () => ({ Component: (await import("./JobsPage")).JobsPage }) },
    { path: "/training/compare", lazy: async () => ({ Component: (await import("./ComparePage")).ComparePage }) },
    { path: "/training/jobs/:job", lazy: async () => ({ Component: (await import("./JobPage")).JobPage }) },
    { path: "/training/studies", lazy: async () => ({ Component: (await import("./studies/StudiesPage")).StudiesPage }) },
    { path: "/training/studies/:study", lazy: async () => ({ Component: (await import("./studies/StudyPage")).StudyPage }) },
    { path: "/training/autotrain", lazy: async () => ({ Component: (await import("./forms/AutotrainPage")).AutotrainPage }) },
    { path: "/training/train", lazy: async () => ({ Component: (await import("./forms/TrainPage")).TrainPage }) },
    { path: "/training/search", lazy: async () => ({ Component: (await import("./forms/SearchPage")).SearchPage }) },
    { path: "/training/compress", lazy: async () => ({ Component: (await import("./forms/CompressPage")).CompressPage }) },
    { path: "/training/fuse", lazy: async () => ({ Component: (await import("./forms/FusePage")).FusePage }) },
    { path: "/training/decompose", lazy: async () => ({ Component: (await import("./forms/DecomposePage")).DecomposePage }) },
    { path: "/training/prepare", lazy: async () => ({ Component: (await import("./forms/PreparePage")).PreparePage }) },
  ],
};
