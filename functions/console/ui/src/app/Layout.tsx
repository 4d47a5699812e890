/** The frame around every page: bar, menu, breadcrumbs, notices. */

import AppLayout from "@cloudscape-design/components/app-layout";
import BreadcrumbGroup from "@cloudscape-design/components/breadcrumb-group";
import SideNavigation from "@cloudscape-design/components/side-navigation";
import TopNavigation from "@cloudscape-design/components/top-navigation";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { Outlet, useLocation } from "react-router";

import { API_ROOT } from "../api/client";
import { AREAS } from "./areas";
import { hrefOf, pathOf, useGo } from "./links";
import { NoticesBar, useNotices } from "./notices";
import { type Language, type Theme, usePreferences } from "./preferences";
import { Password } from "./Password";
import { useMe, useSession, type Workspace } from "./session";
import { SignInAgain } from "./SignIn";

const SecondFactor = lazy(() => import("./SecondFactor"));

export function Layout() {
  const [isOpen, setOpen] = useState(() => innerWidth > 900);
  const { t } = useTranslation();
  return (
    <>
      <div id="bar">
        <Bar />
      </div>
      <AppLayout
        headerSelector="#bar"
        navigation={<Menu />}
        navigationOpen={isOpen}
        onNavigationChange={({ detail }) => setOpen(detail.open)}
        breadcrumbs={<Breadcrumbs />}
        notifications={<NoticesBar />}
        stickyNotifications
        toolsHide
        content={<Outlet />}
        ariaLabels={{ navigation: t("menu"), navigationToggle: t("menuOpen"), navigationClose: t("menuClose"), notifications: t("notices") }}
      />
      <SignInAgain />
    </>
  );
}

function Bar() {
  const { t } = useTranslation();
  const go = useGo();
  const me = useMe();
  const { signOut, workspaces, choose: enter } = useSession();
  const notices = useNotices();
  const [changed, setChanged] = useState<"password" | "second-factor" | null>(null);
  const { theme, setTheme, isCompact, setCompact, language, setLanguage } = usePreferences();
  const choose = (id: string) => {
    if (id === "sign-out") signOut();
    else if (id.startsWith("ws_")) void enter(id).then(() => go("/"), notices.failure);
    else if (id === "password" || id === "second-factor") setChanged(id);
    else if (id === "density") setCompact(!isCompact);
    else if (id.startsWith("theme-")) setTheme(id.slice("theme-".length) as Theme);
    else if (id.startsWith("language-")) setLanguage(id.slice("language-".length) as Language);
  };
  const placeOf = ({ id, name }: Workspace) => ({ id, text: name, itemType: "checkbox" as const, checked: id === me.workspace_id });
  const themes = (["system", "light", "dark"] as const).map((name) => ({
    id: `theme-${name}`,
    text: t(`theme.${name}`),
    itemType: "checkbox" as const,
    checked: theme === name,
  }));
  const languages = [
    { id: "language-en", text: "English", itemType: "checkbox" as const, checked: language === "en" },
    { id: "language-zh", text: "中文", itemType: "checkbox" as const, checked: language === "zh" },
  ];
  const own =
    me.subject == null
      ? []
      : [
          { id: "password", text: t("signIn.changePassword") },
          { id: "second-factor", text: t("secondFactor.title") },
        ];
  const places = workspaces.length < 2 ? [] : [{ id: "workspaces", text: t("workspaces"), items: workspaces.map(placeOf) }];
  return (
    <>
      <TopNavigation
        identity={{ href: hrefOf("/"), title: "AI Mass", onFollow: (event) => (event.preventDefault(), go("/")) }}
        utilities={[
          { type: "button", text: t("apiDocs"), href: `${API_ROOT}/v1/docs`, external: true, externalIconAriaLabel: t("newTab") },
          {
            type: "menu-dropdown",
            iconName: "settings",
            ariaLabel: t("appearance"),
            title: t("appearance"),
            items: [
              { id: "themes", text: t("theme.title"), items: themes },
              { id: "languages", text: t("language"), items: languages },
              { id: "density", text: t("compact"), itemType: "checkbox", checked: isCompact },
            ],
            onItemClick: ({ detail }) => choose(detail.id),
          },
          {
            type: "menu-dropdown",
            iconName: "user-profile",
            text: me.workspace_name,
            description: `${me.actor_name ?? me.actor} (${t(`role.${me.role}`)})`,
            items: [...places, ...own, { id: "sign-out", text: t("signOut") }],
            onItemClick: ({ detail }) => choose(detail.id),
          },
        ]}
        i18nStrings={{ overflowMenuTriggerText: t("more"), overflowMenuTitleText: t("all") }}
      />
      {changed === "password" && <Password onClose={() => setChanged(null)} />}
      {changed === "second-factor" && (
        <Suspense>
          <SecondFactor onClose={() => setChanged(null)} />
        </Suspense>
      )}
    </>
  );
}

function Menu() {
  const { t } = useTranslation(["common", ...AREAS.map((area) => area.name)]);
  const go = useGo();
  const { may } = useSession();
  const { pathname } = useLocation();
  const items = AREAS.map((area) => {
    const links = area.menu
      .filter((item) => item.role === undefined || may(item.role))
      .map((item) => ({ type: "link" as const, text: t(item.text, { ns: area.name }), href: hrefOf(item.href) }));
    return area.name === "overview" ? links : [{ type: "section" as const, text: t(`area.${area.name}`), items: links }];
  }).flat();
  const hrefs = AREAS.flatMap((area) => area.menu.map((item) => item.href));
  const active = hrefs.filter((href) => pathname === href || pathname.startsWith(`${href}/`)).sort((a, b) => b.length - a.length)[0];
  return (
    <SideNavigation
      items={items}
      activeHref={hrefOf(active ?? "/")}
      onFollow={(event) => {
        if (event.detail.external) return;
        event.preventDefault();
        go(pathOf(event.detail.href));
      }}
    />
  );
}

function Breadcrumbs() {
  const { t } = useTranslation(["common", ...AREAS.map((area) => area.name)]);
  const go = useGo();
  const { pathname } = useLocation();
  const area = AREAS.find((each) => pathname.startsWith(`/${each.name}`));
  const item = area?.menu.filter((each) => pathname === each.href || pathname.startsWith(`${each.href}/`)).sort((a, b) => b.href.length - a.href.length)[0];
  if (area === undefined || item === undefined) return null;
  const below = pathname.slice(item.href.length).split("/").filter(Boolean);
  const items = [
    { text: t(item.text, { ns: area.name }), href: hrefOf(item.href) },
    ...below.map((part, index) => ({
      text: decodeURIComponent(part),
      href: hrefOf([item.href, ...below.slice(0, index + 1)].join("/")),
    })),
  ];
  return (
    <BreadcrumbGroup
      items={items}
      ariaLabel={t("breadcrumbs")}
      onFollow={(event) => {
        event.preventDefault();
        go(pathOf(event.detail.href));
      }}
    />
  );
}
