/** Changes the password of whoever is signed in with one. */

import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api } from "../api/client";
import { ApiProblem } from "../api/problem";
import { Confirm } from "../components/Confirm";
import { CodeField } from "./CodeField";
import { useNotices } from "./notices";

export function Password({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const notices = useNotices();
  const [password, setPassword] = useState("");
  const [newPassword, setNewPassword] = useState("");
  const [code, setCode] = useState<string | null>(null);
  const change = async () => {
    try {
      await api.POST("/v1/me/password", { body: { password, new_password: newPassword, ...(code === null ? {} : { second_factor: code }) } });
    } catch (error) {
      if (error instanceof ApiProblem && error.code === "second_factor_required") setCode("");
      throw error;
    }
    notices.success(t("signIn.passwordChanged"));
  };
  return (
    <Confirm title={t("signIn.changePassword")} verb={t("save")} onConfirm={change} onClose={onClose}>
      <FormField label={t("signIn.presentPassword")}>
        <Input value={password} onChange={({ detail }) => setPassword(detail.value)} type="password" autoComplete="current-password" autoFocus />
      </FormField>
      <FormField label={t("signIn.newPassword")} constraintText={t("signIn.passwordRule")}>
        <Input value={newPassword} onChange={({ detail }) => setNewPassword(detail.value)} type="password" autoComplete="new-password" />
      </FormField>
      {code !== null && <CodeField label={t("signIn.code")} description={t("signIn.codeHint")} value={code} onChange={setCode} />}
    </Confirm>
  );
}
