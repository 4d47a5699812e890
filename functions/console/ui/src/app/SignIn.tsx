/** The form that asks who is there: in place of the console, or above a page whose session has ended. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Modal from "@cloudscape-design/components/modal";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { ApiProblem } from "../api/problem";
import { useSession } from "./session";

type Way = "key" | "email" | "invitation";

const STORED = "aimass.signIn";

export function SignInForm() {
  const { t } = useTranslation();
  const { signIn, invitation } = useSession();
  const [chosen, setChosen] = useState<Way>(() => (localStorage.getItem(STORED) === "email" ? "email" : "key"));
  const way: Way = invitation === null ? chosen : "invitation";
  const [key, setKey] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  // null: the account's password may stay.
  const [newPassword, setNewPassword] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const send = async () => {
    if (way === "key") await signIn(key.trim());
    else if (way === "invitation") await signIn({ invitation: invitation!, password });
    else await signIn({ email: email.trim(), password, ...(newPassword === null ? {} : { new_password: newPassword }) });
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await send();
      setKey("");
      setPassword("");
    } catch (failure) {
      const problem = failure instanceof ApiProblem ? failure : null;
      if (problem?.code === "new_password_required") setNewPassword("");
      else if (problem?.status === 401 && way === "key") setError(t("signIn.refused"));
      else setError(failure instanceof Error ? [failure.message, ...(problem?.errors ?? []).map((each) => each.message)].join(" ") : String(failure));
    } finally {
      setBusy(false);
    }
  };
  const choose = (next: Way) => (localStorage.setItem(STORED, next), setChosen(next), setError(null));
  const isFilled = way === "key" ? key.trim() !== "" : password !== "" && newPassword !== "" && (way === "invitation" || email.trim() !== "");
  return (
    <form onSubmit={submit}>
      <Form
        actions={
          <Button variant="primary" formAction="submit" loading={isBusy} disabled={!isFilled}>
            {t("signIn.submit")}
          </Button>
        }
      >
        <SpaceBetween size="m">
          {error !== null && <Alert type="error">{error}</Alert>}
          {way === "invitation" ? (
            <Alert type="info">{t("signIn.invited")}</Alert>
          ) : (
            <SegmentedControl
              label={t("signIn.way")}
              selectedId={way}
              onChange={({ detail }) => choose(detail.selectedId as Way)}
              options={(["key", "email"] as const).map((id) => ({ id, text: t(`signIn.ways.${id}`) }))}
            />
          )}
          {way === "key" && (
            <FormField label={t("signIn.key")} description={t("signIn.keyHint")}>
              <Input value={key} onChange={({ detail }) => setKey(detail.value)} type="password" autoComplete="current-password" autoFocus />
            </FormField>
          )}
          {way === "email" && (
            <FormField label={t("signIn.email")}>
              <Input value={email} onChange={({ detail }) => setEmail(detail.value)} type="email" autoComplete="username" autoFocus />
            </FormField>
          )}
          {way !== "key" && (
            <FormField label={t("signIn.password")} description={way === "invitation" ? t("signIn.passwordHint") : undefined}>
              <Input
                value={password}
                onChange={({ detail }) => setPassword(detail.value)}
                type="password"
                autoComplete={way === "invitation" ? "new-password" : "current-password"}
                autoFocus={way === "invitation"}
              />
            </FormField>
          )}
          {way === "email" && newPassword !== null && (
            <FormField label={t("signIn.newPassword")} description={t("signIn.newPasswordHint")}>
              <Input value={newPassword} onChange={({ detail }) => setNewPassword(detail.value)} type="password" autoComplete="new-password" autoFocus />
            </FormField>
          )}
        </SpaceBetween>
      </Form>
    </form>
  );
}

export function SignInPage() {
  const { t } = useTranslation();
  return (
    <main className="sign-in">
      <Container header={<Header variant="h1" description={t("signIn.description")}>AI Mass</Header>}>
        <SignInForm />
      </Container>
    </main>
  );
}

/** What was typed into the page behind it stays. */
export function SignInAgain() {
  const { t } = useTranslation();
  const { isExpired, signOut } = useSession();
  return (
    <Modal visible={isExpired} onDismiss={signOut} header={t("signIn.expired")} closeAriaLabel={t("signOut")}>
      <SpaceBetween size="m">
        <Box>{t("signIn.expiredHint")}</Box>
        {isExpired && <SignInForm />}
      </SpaceBetween>
    </Modal>
  );
}
