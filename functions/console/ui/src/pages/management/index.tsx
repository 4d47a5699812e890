/** Settings, people, audit, logs, notifications, system. */

import type { Area } from "../../app/area";

export const management: Area = {
  name: "management",
  menu: [
    { text: "settings.title", href: "/management/settings" },
    { text: "workspaces.title", href: "/management/workspaces" },
    { text: "users.title", href: "/management/users", role: "admin" },
    { text: "keys.title", href: "/management/api-keys", role: "admin" },
    { text: "grants.title", href: "/management/grants" },
    { text: "audit.title", href: "/management/audit", role: "admin" },
    { text: "logs.title", href: "/management/logs", role: "developer" },
    { text: "system.title", href: "/management/system" },
    { text: "costs.title", href: "/management/costs" },
    { text: "notifications.title", href: "/management/notifications" },
    { text: "reports.title", href: "/management/reports" },
    { text: "transfers.title", href: "/management/transfers", role: "admin" },
  ],
  routes: [
    { path: "/management/settings", lazy: async () => ({ Component: (await import("./Settings")).Settings }) },
    { path: "/management/settings/:subsystem", lazy: async () => ({ Component: (await import("./Subsystem")).Subsystem }) },
    { path: "/management/workspaces", lazy: async () => ({ Component: (await import("./Workspaces")).Workspaces }) },
    { path: "/management/users", lazy: async () => ({ Component: (await import("./Users")).Users }) },
    { path: "/management/api-keys", lazy: async () => ({ Component: (await import("./ApiKeys")).ApiKeys }) },
    { path: "/management/grants", lazy: async () => ({ Component: (await import("./grants/GrantsPage")).GrantsPage }) },
    { path: "/management/audit", lazy: async () => ({ Component: (await import("./Audit")).Audit }) },
    { path: "/management/logs", lazy: async () => ({ Component: (await import("./Logs")).Logs }) },
    { path: "/management/system", lazy: async () => ({ Component: (await import("./System")).System }) },
    { path: "/management/costs", lazy: async () => ({ Component: (await import("./Costs")).Costs }) },
    { path: "/management/notifications", lazy: async () => ({ Component: (await import("./Notifications")).Notifications }) },
    { path: "/management/reports", lazy: async () => ({ Component: (await import("./Reports")).Reports }) },
    { path: "/management/transfers", lazy: async () => ({ Component: (await import("./Transfers")).Transfers }) },
  ],
};
