/** Providers, routes, and what is shown where nothing else can be. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import { I18nProvider } from "@cloudscape-design/components/i18n";
import Spinner from "@cloudscape-design/components/spinner";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ComponentProps, Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { createBrowserRouter, RouterProvider, useRouteError } from "react-router";

import { ApiProblem } from "../api/problem";
import { AREAS } from "./areas";
import { Layout } from "./Layout";
import { BASE_PATH } from "./links";
import { NoticesProvider } from "./notices";
import { PreferencesProvider, usePreferences } from "./preferences";
import { SessionProvider, useSession } from "./session";
import { SignInPage } from "./SignIn";

const MAX_RETRIES = 4;
const queries = new QueryClient({
  defaultOptions: {
    // The stack may run on this very machine, where a browser that is offline still reaches it.
    mutations: { networkMode: "always" },
    queries: {
      networkMode: "always",
      staleTime: 2_000,
      // What is on the screen stays there while the API is away.
      retry: (count, error) => count < MAX_RETRIES && error instanceof ApiProblem && error.isTransient,
      retryDelay: (count, error) =>
        error instanceof ApiProblem && error.retryAfterSeconds !== null
          ? error.retryAfterSeconds * 1000
          : Math.min(500 * 2 ** count, 8_000),
    },
  },
});
const router = createBrowserRouter(
  [
    {
      element: <Layout />,
      children: [
        {
          errorElement: <Broken />,
          children: [...AREAS.flatMap((area) => area.routes), { path: "*", element: <NotFound /> }],
        },
      ],
    },
  ],
  { basename: BASE_PATH || "/" },
);

export function App() {
  return (
    <QueryClientProvider client={queries}>
      <PreferencesProvider>
        <Texts>
          <SessionProvider>
            <NoticesProvider>
              <Entrance />
            </NoticesProvider>
          </SessionProvider>
        </Texts>
      </PreferencesProvider>
    </QueryClientProvider>
  );
}

/** Cloudscape's own texts. */
function Texts({ children }: Pick<ComponentProps<typeof I18nProvider>, "children">) {
  const { language } = usePreferences();
  const [messages, setMessages] = useState<ComponentProps<typeof I18nProvider>["messages"]>([]);
  useEffect(() => {
    const load =
      language === "zh"
        ? import("@cloudscape-design/components/i18n/messages/all.zh-CN")
        : import("@cloudscape-design/components/i18n/messages/all.en");
    void load.then((file) => setMessages([file.default]));
  }, [language]);
  return (
    <I18nProvider locale={language === "zh" ? "zh-CN" : "en"} messages={messages}>
      {children}
    </I18nProvider>
  );
}

function Entrance() {
  const { me, isStarting } = useSession();
  if (isStarting) return <Loading />;
  if (me === null) return <SignInPage />;
  return (
    <Suspense fallback={<Loading />}>
      <RouterProvider router={router} />
    </Suspense>
  );
}

function Loading() {
  const { t } = useTranslation();
  return (
    <Box textAlign="center" padding="xxl">
      <Spinner size="large" /> <span className="unseen">{t("loading")}</span>
    </Box>
  );
}

function NotFound() {
  const { t } = useTranslation();
  return <Alert type="warning" header={t("problem.noPage")} />;
}

/** A page that fails leaves the frame standing. */
function Broken() {
  const { t } = useTranslation();
  const error = useRouteError();
  return (
    <Alert type="error" header={t("problem.broken")} action={<Button onClick={() => location.reload()}>{t("reload")}</Button>}>
      {error instanceof Error ? error.message : String(error)}
    </Alert>
  );
}
