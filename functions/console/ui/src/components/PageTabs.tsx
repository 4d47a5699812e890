/** Parts of a page as tabs, the chosen one in the address (`?tab=settings`): for links, refresh, back and forward. */

import Tabs, { type TabsProps } from "@cloudscape-design/components/tabs";
import { useSearchParams } from "react-router";

export function PageTabs({ tabs, label }: { tabs: TabsProps.Tab[]; label: string }) {
  const [search, setSearch] = useSearchParams();
  const active = tabs.find((tab) => tab.id === search.get("tab")) ?? tabs[0];
  return (
    <Tabs
      tabs={tabs}
      ariaLabel={label}
      activeTabId={active?.id}
      onChange={({ detail }) =>
        setSearch((present) => {
          present.set("tab", detail.activeTabId);
          return present;
        })
      }
    />
  );
}
