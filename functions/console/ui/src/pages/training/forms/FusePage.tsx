/** Combine several models of a task into one. */

import AttributeEditor from "@cloudscape-design/components/attribute-editor";
import FormField from "@cloudscape-design/components/form-field";
import Select from "@cloudscape-design/components/select";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { JobForm } from "./JobForm";
import { DeviceField, LimitFields } from "./limits";
import { ModelField } from "./references";
import { useJobRequest } from "./request";

const PLACEMENTS = ["one_graph", "apart"] as const;

export function FusePage() {
  const { t } = useTranslation("training");
  const [search] = useSearchParams();
  const given = search.getAll("model");
  const request = useJobRequest("fuse", { members: given.length > 1 ? given : [...given, "", ""].slice(0, 2) });
  const { spec, setSpec, errors } = request;
  const members = spec["members"] as string[];
  const change = (index: number, value: string) => setSpec({ members: members.map((each, at) => (at === index ? value : each)) });
  const placements = [{ value: "", label: t("fuse.anyPlacement") }, ...PLACEMENTS.map((value) => ({ value: value as string, label: t(`fuse.placements.${value}`) }))];
  return (
    <JobForm
      title={t("fuse.title")}
      description={t("fuse.description")}
      request={request}
      isReady={members.length > 1 && members.every((each) => each !== "")}
      schema="FuseSpec"
      options={["method", "out_of_fold", "model", "metric", "seed", "data"]}
    >
      <FormField label={t("fuse.members")} errorText={errors["members"]}>
        <AttributeEditor
          items={members}
          addButtonText={t("fuse.addMember")}
          removeButtonText={t("form.remove")}
          isItemRemovable={() => members.length > 2}
          onAddButtonClick={() => setSpec({ members: [...members, ""] })}
          onRemoveButtonClick={({ detail }) => setSpec({ members: members.filter((_, index) => index !== detail.itemIndex) })}
          definition={[{ control: (each: string, index: number) => <ModelField label={t("fuse.member", { number: index + 1 })} value={each} onChange={(value) => change(index, value)} error={errors[`members.${index}`]} /> }]}
        />
      </FormField>
      <FormField label={t("fuse.placement")} errorText={errors["placement"]}>
        <Select
          options={placements}
          selectedOption={placements.find((each) => each.value === (spec["placement"] ?? "")) ?? null}
          onChange={({ detail }) => setSpec({ placement: detail.selectedOption.value || undefined })}
        />
      </FormField>
      <DeviceField request={request} />
      <LimitFields request={request} />
    </JobForm>
  );
}
