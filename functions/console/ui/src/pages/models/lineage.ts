/** Where a version comes from and where it went, as a graph in columns. */

import type { Schemas } from "../../api/client";
import type { Endpoint } from "./versions";

type Version = Schemas["ModelVersionDetail"];
type Kind = "source" | "dataset" | "model" | "job" | "version" | "endpoint";

export interface Node {
  id: string;
  kind: Kind;
  label: string;
  /** Where more is told of it; null where there is no page. */
  path: string | null;
  column: number;
}

export interface Graph {
  nodes: Node[];
  edges: [from: string, to: string][];
}

export interface Source {
  dataset: string;
  id: string;
  name: string;
}

const COLUMNS: Record<Kind, number> = { source: 0, dataset: 1, model: 1, job: 2, version: 3, endpoint: 4 };

export function graphOf(version: Version, job: Schemas["Job"] | null, endpoints: readonly Endpoint[], sources: readonly Source[]): Graph {
  const nodes = new Map<string, Node>();
  const edges: Graph["edges"] = [];
  const add = (kind: Kind, label: string, path: string | null, column = COLUMNS[kind]) => {
    const id = `${kind} ${label}`;
    if (!nodes.has(id)) nodes.set(id, { id, kind, label, path, column });
    return id;
  };
  const modelOf = (ref: Schemas["ModelRef"], kind: Kind, column?: number) => add(kind, `${ref.model_name}@${ref.number}`, `/models/${ref.model_name}/versions/${ref.number}`, column);

  const made = modelOf({ model_id: version.model_id, model_name: version.model_name, number: version.number }, "version");
  const by = add("job", job === null ? version.job_id : `${job.kind} ${version.job_id}`, `/training/jobs/${version.job_id}`);
  edges.push([by, made]);
  for (const pin of Object.values(version.datasets)) {
    const dataset = add("dataset", `${pin.dataset_name}@${pin.number}`, `/collection/datasets/${pin.dataset_name}`);
    edges.push([dataset, by]);
    for (const source of sources.filter((each) => each.dataset === pin.dataset_name)) {
      edges.push([add("source", source.name, `/collection/sources/${source.name}`), dataset]);
    }
  }
  for (const parent of version.parents) edges.push([modelOf(parent, "model"), by]);
  for (const part of Object.values(version.parts)) edges.push([made, modelOf(part, "model", 4)]);
  for (const fusion of version.fusions) edges.push([made, modelOf(fusion, "model", 4)]);
  for (const id of version.endpoints) {
    const endpoint = endpoints.find((each) => each.id === id);
    edges.push([made, add("endpoint", endpoint?.name ?? id, `/inference/endpoints/${endpoint?.name ?? id}`)]);
  }
  return { nodes: [...nodes.values()], edges };
}
