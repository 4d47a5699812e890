/** A form over something that somebody else may change meanwhile: it keeps the revision that it was filled from. */

import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

interface Given<R extends { revision?: number }, F> {
  /** What the API has now; it may be newer than what the form was filled from. */
  current: R;
  fieldsOf: (resource: R) => F;
  save: (fields: F, revision: number) => Promise<R>;
  onSaved?: (made: R) => void;
}

export function useEditing<R extends { revision?: number }, F extends object>({ current, fieldsOf, save, onSaved }: Given<R, F>) {
  const [base, setBase] = useState(current);
  const [changes, setChanges] = useState<Partial<F>>({});
  const isChanged = Object.keys(changes).length > 0;
  // What nobody has touched follows the API.
  const from = isChanged ? base : current;
  const fields: F = { ...fieldsOf(from), ...changes };
  const saving = useMutation({
    mutationFn: () => save(fields, from.revision ?? 1),
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
      if (!isChanged) setBase(current);
      setChanges((present) => ({ ...present, ...some }));
    },
    submit: () => saving.mutate(),
    /** Takes what the API has, in place of what was typed. */
    reset: () => {
      setBase(current);
      setChanges({});
      saving.reset();
    },
  };
}
