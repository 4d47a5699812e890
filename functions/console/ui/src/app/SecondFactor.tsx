/** The authenticator of whoever is signed in with a password: setting one up, and taking it away. */

import Box from "@cloudscape-design/components/box";
import CopyToClipboard from "@cloudscape-design/components/copy-to-clipboard";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import { QRCodeSVG } from "qrcode.react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../api/client";
import { Confirm } from "../components/Confirm";
import { CodeField } from "./CodeField";
import { useNotices } from "./notices";

type Way = "add" | "remove";

export default function SecondFactor({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const notices = useNotices();
  const [way, setWay] = useState<Way>("add");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [begun, setBegun] = useState<Schemas["SecondFactor"] | null>(null);
  const begin = async () => setBegun(await dataOf(api.POST("/v1/me/second-factor", { body: { password } })));
  const finish = async () => {
    if (way === "add") {
      await api.POST("/v1/me/second-factor/confirmation", { body: { code } });
      notices.success(t("secondFactor.added"));
    } else {
      await api.POST("/v1/me/second-factor/removal", { body: { password, code } });
      notices.success(t("secondFactor.removed"));
    }
    onClose();
  };
  const isBeginning = way === "add" && begun === null;
  return (
    <Confirm
      title={t("secondFactor.title")}
      verb={isBeginning ? t("secondFactor.next") : t(`secondFactor.verb.${way}`)}
      onConfirm={isBeginning ? begin : finish}
      onDone={() => undefined}
      onClose={onClose}
    >
      {begun === null && (
        <>
          <SegmentedControl
            label={t("secondFactor.title")}
            selectedId={way}
            onChange={({ detail }) => setWay(detail.selectedId as Way)}
            options={(["add", "remove"] as const).map((id) => ({ id, text: t(`secondFactor.way.${id}`) }))}
          />
          <FormField label={t("signIn.presentPassword")} description={t(`secondFactor.hint.${way}`)}>
            <Input value={password} onChange={({ detail }) => setPassword(detail.value)} type="password" autoComplete="current-password" autoFocus />
          </FormField>
        </>
      )}
      {begun !== null && (
        <>
          <Box>{t("secondFactor.scan")}</Box>
          <Box textAlign="center">
            {/* White around it also on a dark page: cameras look for it. */}
            <QRCodeSVG value={begun.uri} size={192} marginSize={4} title={t("secondFactor.picture")} />
          </Box>
          <FormField label={t("secondFactor.secret")}>
            <CopyToClipboard
              variant="inline"
              textToCopy={begun.secret}
              copyButtonAriaLabel={t("secondFactor.copy")}
              copySuccessText={t("secondFactor.copied")}
              copyErrorText={t("secondFactor.notCopied")}
            />
          </FormField>
        </>
      )}
      {!isBeginning && <CodeField label={t("signIn.code")} value={code} onChange={setCode} />}
    </Confirm>
  );
}
