/** The switches of every subsystem. */

import Badge from "@cloudscape-design/components/badge";
import Cards from "@cloudscape-design/components/cards";
import Header from "@cloudscape-design/components/header";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { Link } from "../../app/links";
import { Loaded } from "../../components/Loaded";
import { Time } from "../../components/values";

type Detail = Schemas["SettingsDetail"];

export function Settings() {
  const query = useQuery({ queryKey: ["settings"], queryFn: () => dataOf(api.GET("/v1/settings")), refetchInterval: 10_000 });
  return <Loaded query={query}>{(found) => <Overview items={found.items as unknown as Detail[]} />}</Loaded>;
}

function Overview({ items }: { items: Detail[] }) {
  const { t } = useTranslation("management");
  const own = (detail: Detail) => Object.values(detail.fields).filter((field) => field.source === "workspace").length;
  return (
    <Cards
      items={items}
      trackBy="subsystem"
      header={<Header variant="h1" description={t("settings.hint")}>{t("settings.title")}</Header>}
      cardsPerRow={[{ cards: 1 }, { minWidth: 700, cards: 2 }, { minWidth: 1100, cards: 3 }]}
      ariaLabels={{ itemSelectionLabel: (_, item) => item.title, selectionGroupLabel: t("settings.title") }}
      cardDefinition={{
        header: (detail) => (
          <Link to={`/management/settings/${detail.subsystem}`} fontSize="heading-m">
            {t(`subsystem.${detail.subsystem}`, { defaultValue: detail.title })}
          </Link>
        ),
        sections: [
          { id: "description", content: (detail) => t(`subsystemHint.${detail.subsystem}`, { defaultValue: detail.description }) },
          {
            id: "own",
            content: (detail) => (own(detail) === 0 ? <Badge>{t("settings.allDefault")}</Badge> : <Badge color="blue">{t("settings.own", { count: own(detail) })}</Badge>),
          },
          { id: "changed", header: t("settings.version"), content: (detail) => (detail.revision > 1 ? <>{detail.revision}, <Time at={detail.updated_at} /></> : detail.revision) },
        ],
      }}
    />
  );
}
