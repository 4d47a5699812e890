/** Endpoints: what they serve and to whom, how they do, and trying them. */

import type { Area } from "../../app/area";

export const inference: Area = {
  name: "inference",
  menu: [
    { text: "endpoints", href: "/inference/endpoints" },
    { text: "deploy.title", href: "/inference/deploy", role: "developer" },
    { text: "batch.title", href: "/inference/batch" },
  ],
  routes: [
    { path: "/inference/endpoints", lazy: async () => ({ Component: (await import("./Endpoints")).Endpoints }) },
    { path: "/inference/endpoints/:endpoint", lazy: async () => ({ Component: (await import("./EndpointPage")).EndpointPage }) },
    { path: "/inference/deploy", lazy: async () => ({ Component: (await import("./Deploy")).Deploy }) },
    { path: "/inference/batch", lazy: async () => ({ Component: (await import("./Batch")).Batch }) },
  ],
};
