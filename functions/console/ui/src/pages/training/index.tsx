/** Jobs and studies. */

import type { Area } from "../../app/area";

export const training: Area = {
  name: "training",
  menu: [
    { text: "jobs.title", href: "/training/jobs" },
  ],
  routes: [
    { path: "/training/jobs", lazy: async () => ({ Component: (await import("./JobsPage")).JobsPage }) },
    { path: "/training/jobs/:job", lazy: async () => ({ Component: (await import("./JobPage")).JobPage }) },
  ],
};
