/** A form over something that somebody else may change meanwhile: it keeps the revision that it was filled from. */

import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

interface Given<R extends { revision?: number }, F> {
  /** What the API has now; it may be newer than what the form was filled from. */
  current: R;
  fieldsOf: (resource: R) => F;
  save: (fields: F, revision: number) => Promise<R>;
  read: () => Promise<R>;
  onSaved?: (made: R) => void;
}

export function useEditing<R extends { revision?: number }, F extends object>({ current, fieldsOf, save, read, onSaved }: Given<R, F>) {
  const [base, setBase] = useState(current);
  const [changes, setChanges] = useState<Partial<F>>({});
  const isChanged = Object.keys(changes).length > 0;
  // What nobody has touched follows the API, but not back to what it was before it was saved.
  const from = isChanged || revisionOf(base) > revisionOf(current) ? base : current;
  const fields: F = { ...fieldsOf(from), ...changes };
  const saving = useMutation({
    mutationFn: () => save(fields, revisionOf(from)),
    onSuccess: (made) => {
      setBase(made);
      setChanges({});
      onSaved?.(made);
    },
  });
  return {
    fields,
    isChanged,
    saving,
    set: (some: Partial<F>) => {
      if (!isChanged) setBase(from);
      setChanges((present) => ({ ...present, ...some }));
    },
    submit: () => saving.mutate(),
    /** Takes what the API has now, in place of what was typed. */
    loadTheirs: async () => {
      setBase(await read());
      setChanges({});
      saving.reset();
    },
  };
}

function revisionOf(resource: { revision?: number }): number {
  return resource.revision ?? 1;
}
