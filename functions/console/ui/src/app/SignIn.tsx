/** The form that asks who is there: in place of the console, or above a page whose session has ended. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Modal from "@cloudscape-design/components/modal";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { type FormEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";

import { ApiProblem } from "../api/problem";
import { CodeField, isCode } from "./CodeField";
import { type Proof, useSession } from "./session";

type Way = "password" | "key";
/** Which way was taken last in this browser; the credential itself is not kept. */
const STORED_WAY = "aimass.signInWith";

export function SignInForm() {
  const { t } = useTranslation();
  const { codeProblem } = useSession();
  const [way, setWay] = useState<Way>(localStorage.getItem(STORED_WAY) === "key" ? "key" : "password");
  const choose = (chosen: Way) => {
    localStorage.setItem(STORED_WAY, chosen);
    setWay(chosen);
  };
  return (
    <SpaceBetween size="m">
      {codeProblem !== null && <Alert type="warning">{t("signIn.codeRefused")}</Alert>}
      <SegmentedControl
        label={t("signIn.with")}
        selectedId={way}
        onChange={({ detail }) => choose(detail.selectedId as Way)}
        options={[
          { id: "password", text: t("signIn.withPassword") },
          { id: "key", text: t("signIn.withKey") },
        ]}
      />
      {way === "key" ? <KeyForm /> : <PasswordForm />}
    </SpaceBetween>
  );
}

/** What every way shares: one attempt at a time, and in words why one failed. */
function ProofForm({
  proof,
  isComplete,
  refused,
  onProblem,
  submit,
  children,
}: {
  proof: () => Proof;
  isComplete: boolean;
  /** What a 401 means here. */
  refused: string;
  /** True: it is dealt with. */
  onProblem?: (problem: ApiProblem) => boolean;
  submit: string;
  children: ReactNode;
}) {
  const { signIn } = useSession();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (!isComplete || isBusy) return;
    setBusy(true);
    setError(null);
    try {
      await signIn(proof());
    } catch (failure) {
      const problem = failure instanceof ApiProblem ? failure : null;
      if (problem !== null && onProblem?.(problem)) return;
      const words = problem?.errors[0]?.message ?? (failure instanceof Error ? failure.message : String(failure));
      setError(problem?.status === 401 ? refused : words);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={send}>
      <Form
        actions={
          <Button variant="primary" formAction="submit" loading={isBusy} disabled={!isComplete}>
            {submit}
          </Button>
        }
      >
        <SpaceBetween size="m">
          {error !== null && <Alert type="error">{error}</Alert>}
          {children}
        </SpaceBetween>
      </Form>
    </form>
  );
}

function KeyForm() {
  const { t } = useTranslation();
  const [key, setKey] = useState("");
  return (
    <ProofForm proof={() => ({ key: key.trim() })} isComplete={key.trim() !== ""} refused={t("signIn.refused")} submit={t("signIn.submit")}>
      <FormField label={t("signIn.key")} description={t("signIn.keyHint")}>
        <Input value={key} onChange={({ detail }) => setKey(detail.value)} type="password" autoComplete="off" autoFocus />
      </FormField>
    </ProofForm>
  );
}

/** The code of an authenticator, once the answer to the password was that there has to be one. */
function useSecondFactor() {
  const { t } = useTranslation();
  const [code, setCode] = useState<string | null>(null);
  return {
    proof: code === null ? {} : { second_factor: code },
    isComplete: code === null || isCode(code),
    ask: (problem: ApiProblem) => {
      if (problem.code !== "second_factor_required" || code !== null) return false;
      setCode("");
      return true;
    },
    field: code !== null && <CodeField label={t("signIn.code")} description={t("signIn.codeHint")} value={code} onChange={setCode} />,
  };
}

function PasswordForm() {
  const { t } = useTranslation();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [newPassword, setNewPassword] = useState<string | null>(null);
  const second = useSecondFactor();
  const proof = () => ({ email, password, ...(newPassword === null ? {} : { new_password: newPassword }), ...second.proof });
  const askForMore = (problem: ApiProblem) => {
    if (problem.code !== "new_password_required") return second.ask(problem);
    setNewPassword("");
    return true;
  };
  return (
    <ProofForm
      proof={proof}
      isComplete={email !== "" && password !== "" && newPassword !== "" && second.isComplete}
      refused={t("signIn.passwordRefused")}
      onProblem={askForMore}
      submit={t("signIn.submit")}
    >
      <FormField label={t("signIn.email")}>
        <Input value={email} onChange={({ detail }) => setEmail(detail.value)} type="email" autoComplete="username" autoFocus />
      </FormField>
      <FormField label={t("signIn.password")} description={newPassword === null ? t("signIn.passwordHint") : undefined}>
        <Input value={password} onChange={({ detail }) => setPassword(detail.value)} type="password" autoComplete="current-password" />
      </FormField>
      {newPassword !== null && (
        <FormField label={t("signIn.newPassword")} description={t("signIn.newPasswordHint")} constraintText={t("signIn.passwordRule")}>
          <Input value={newPassword} onChange={({ detail }) => setNewPassword(detail.value)} type="password" autoComplete="new-password" autoFocus />
        </FormField>
      )}
      {second.field}
    </ProofForm>
  );
}

function InvitationForm({ invitation }: { invitation: string }) {
  const { t } = useTranslation();
  const [password, setPassword] = useState("");
  const [isShown, setShown] = useState(false);
  const second = useSecondFactor();
  return (
    <ProofForm
      proof={() => ({ invitation, password, ...second.proof })}
      isComplete={password !== "" && second.isComplete}
      refused={t("signIn.invitationRefused")}
      onProblem={second.ask}
      submit={t("signIn.join")}
    >
      <Box>{t("signIn.invited")}</Box>
      <FormField
        label={t("signIn.password")}
        description={t("signIn.invitedHint")}
        constraintText={t("signIn.passwordRule")}
      >
        <Input
          value={password}
          onChange={({ detail }) => setPassword(detail.value)}
          type={isShown ? "text" : "password"}
          autoComplete="new-password"
          autoFocus
        />
      </FormField>
      <Checkbox checked={isShown} onChange={({ detail }) => setShown(detail.checked)}>
        {t("signIn.show")}
      </Checkbox>
      {second.field}
    </ProofForm>
  );
}

export function SignInPage() {
  const { t } = useTranslation();
  const { invitation } = useSession();
  return (
    <main className="sign-in">
      <Container header={<Header variant="h1" description={t("signIn.description")}>AI Mass</Header>}>
        {invitation === null ? <SignInForm /> : <InvitationForm invitation={invitation} />}
      </Container>
    </main>
  );
}

/** What was typed into the page behind it stays. */
export function SignInAgain() {
  const { t } = useTranslation();
  const { isExpired, signOut } = useSession();
  if (!isExpired) return null;
  // NOTE: mounted only now, and so above a window that the page itself has open.
  return (
    <Modal visible onDismiss={signOut} header={t("signIn.expired")} closeAriaLabel={t("signOut")}>
      <SpaceBetween size="m">
        <Box>{t("signIn.expiredHint")}</Box>
        <SignInForm />
      </SpaceBetween>
    </Modal>
  );
}
