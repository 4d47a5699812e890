/** A list of things of several kinds, each with a form of its kind: checks, steps of a recipe. */

import Button from "@cloudscape-design/components/button";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";

import { schemaOf } from "../../api/schemas";
import { cellText } from "../../components/cells";
import { type JsonSchema, SchemaForm } from "../../components/SchemaForm";

export type Piece = Record<string, unknown>;

interface Props {
  pieces: Piece[];
  /** The field that says of which kind one is. */
  kindKey: string;
  /** The schema's name by kind. */
  schemas: Record<string, string>;
  definitions: Record<string, JsonSchema>;
  titleOf: (piece: Piece) => string;
  onChange: (pieces: Piece[]) => void;
  isOrdered?: boolean;
  disabled?: boolean;
}

export function PiecesForm({ pieces, kindKey, schemas, definitions, titleOf, onChange, isOrdered, disabled }: Props) {
  const { t } = useTranslation("collection");
  const replace = (index: number, piece: Piece) => onChange(pieces.map((each, at) => (at === index ? piece : each)));
  const move = (index: number, by: number) => {
    const next = [...pieces];
    const [piece] = next.splice(index, 1);
    if (piece !== undefined) next.splice(index + by, 0, piece);
    onChange(next);
  };
  return (
    <SpaceBetween size="s">
      {pieces.map((piece, index) => {
        const title = `${isOrdered ? `${index + 1}. ` : ""}${titleOf(piece)}`;
        return (
          <Section
            key={index}
            title={title}
            summary={summary(piece, kindKey)}
            // One that was just added has nothing in it yet.
            isNew={Object.keys(piece).length <= 1}
            actions={
              !disabled && (
                <SpaceBetween size="xs" direction="horizontal">
                  {isOrdered && <Button iconName="angle-up" ariaLabel={`${t("up")} ${title}`} disabled={index === 0} onClick={() => move(index, -1)} />}
                  {isOrdered && <Button iconName="angle-down" ariaLabel={`${t("down")} ${title}`} disabled={index === pieces.length - 1} onClick={() => move(index, 1)} />}
                  <Button iconName="remove" ariaLabel={`${t("remove")} ${title}`} onClick={() => onChange(pieces.filter((_, at) => at !== index))} />
                </SpaceBetween>
              )
            }
          >
            <SchemaForm
              schema={schemaOf(definitions, schemas[String(piece[kindKey])] ?? "", [kindKey])}
              value={piece}
              disabled={disabled}
              onChange={(next) => replace(index, without(next))}
            />
          </Section>
        );
      })}
    </SpaceBetween>
  );
}

/** NOTE: Cloudscape's own state follows `defaultExpanded`, and would close with the first letter that is typed. */
function Section({ title, summary, isNew, actions, children }: { title: string; summary: string; isNew: boolean; actions: ReactNode; children: ReactNode }) {
  const [isExpanded, setExpanded] = useState(isNew);
  return (
    <ExpandableSection variant="container" headerText={title} headerDescription={summary} headerActions={actions} expanded={isExpanded} onChange={({ detail }) => setExpanded(detail.expanded)}>
      {children}
    </ExpandableSection>
  );
}

function without(piece: Piece): Piece {
  return Object.fromEntries(Object.entries(piece).filter(([, value]) => value !== undefined));
}

function summary(piece: Piece, kindKey: string): string {
  return Object.entries(piece)
    .filter(([name, value]) => name !== kindKey && value !== null)
    .map(([name, value]) => `${name}: ${cellText(value)}`)
    .join(" · ");
}
