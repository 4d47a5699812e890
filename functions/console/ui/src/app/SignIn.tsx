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
import SpaceBetween from "@cloudscape-design/components/space-between";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { ApiProblem } from "../api/problem";
import { useSession } from "./session";

export function SignInForm() {
  const { t } = useTranslation();
  const { signIn } = useSession();
  const [key, setKey] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await signIn(key.trim());
      setKey("");
    } catch (failure) {
      const isRefused = failure instanceof ApiProblem && failure.status === 401;
      setError(isRefused ? t("signIn.refused") : failure instanceof Error ? failure.message : String(failure));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={submit}>
      <Form
        actions={
          <Button variant="primary" formAction="submit" loading={isBusy} disabled={key.trim() === ""}>
            {t("signIn.submit")}
          </Button>
        }
      >
        <SpaceBetween size="m">
          {error !== null && <Alert type="error">{error}</Alert>}
          <FormField label={t("signIn.key")} description={t("signIn.keyHint")}>
            <Input value={key} onChange={({ detail }) => setKey(detail.value)} type="password" autoComplete="current-password" autoFocus />
          </FormField>
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
