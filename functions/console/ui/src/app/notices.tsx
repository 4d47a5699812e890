/** What is said above a page: what was done, and what went wrong. */

import Flashbar, { type FlashbarProps } from "@cloudscape-design/components/flashbar";
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { ApiProblem } from "../api/problem";

interface Notices {
  success: (content: ReactNode) => void;
  failure: (error: unknown) => void;
}

const NoticesContext = createContext<Notices | null>(null);
const ItemsContext = createContext<FlashbarProps.MessageDefinition[]>([]);

export function useNotices(): Notices {
  const notices = useContext(NoticesContext);
  if (notices === null) throw new Error("There are no notices around this.");
  return notices;
}

export function NoticesProvider({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const [items, setItems] = useState<FlashbarProps.MessageDefinition[]>([]);
  const add = useCallback(
    (type: FlashbarProps.Type, content: ReactNode, header?: string) => {
      const id = crypto.randomUUID();
      const onDismiss = () => setItems((present) => present.filter((item) => item.id !== id));
      const item = { id, type, content, header, dismissible: true, dismissLabel: t("dismiss"), onDismiss };
      setItems((present) => [item, ...present].slice(0, 5));
      if (type === "success") setTimeout(onDismiss, 8000);
    },
    [t],
  );
  const notices = useMemo<Notices>(
    () => ({
      success: (content) => add("success", content),
      failure: (error) => {
        const problem = error instanceof ApiProblem ? error : null;
        const header = problem?.status === 412 ? t("problem.conflict") : undefined;
        const id = problem?.requestId ? ` (${t("problem.request")} ${problem.requestId})` : "";
        add("error", (error instanceof Error ? error.message : String(error)) + id, header);
      },
    }),
    [add, t],
  );
  return (
    <NoticesContext.Provider value={notices}>
      <ItemsContext.Provider value={items}>{children}</ItemsContext.Provider>
    </NoticesContext.Provider>
  );
}

export function NoticesBar() {
  const { t } = useTranslation();
  return <Flashbar items={useContext(ItemsContext)} i18nStrings={{ ariaLabel: t("notices") }} />;
}
