/** The steps of recipes: the schema of each, by its word. */

export const STEPS: Record<string, string> = {
  trim: "Trim",
  text: "Text",
  parse: "Parse",
  cast: "Cast",
  units: "Units",
  rename: "Rename",
  drop: "Drop",
  filter: "Filter",
  derive: "Derive",
  dedupe: "Dedupe",
  dedupe_near: "DedupeNear",
  outliers: "Outliers",
  impute: "Impute",
  join: "Join",
  sample: "Sample",
  split: "Split",
  images: "Images",
};
