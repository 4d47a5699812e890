/** Where a dataset comes from and what was made of it, as a picture: from left to right. */

import type { EChartsCoreOption } from "echarts/core";

import type { Schemas } from "../../../api/client";

type Lineage = Schemas["DatasetLineage"];

interface Node {
  id: string;
  kind: "source" | "dataset" | "model";
  /** How far from the left. */
  layer: number;
  href: string;
}

interface Picture {
  nodes: Node[];
  edges: [string, string][];
}

/** A model stands right of its parents and of the data between it and the dataset; of parents that are not told of,
 * nothing is drawn. */
export function pictureOf(lineage: Lineage): Picture {
  const dataset = lineage.dataset_name;
  const nodes: Node[] = [{ id: dataset, kind: "dataset", layer: 1, href: `/collection/datasets/${dataset}` }];
  const edges: [string, string][] = [];
  if (lineage.source_id != null) {
    const id = lineage.source_name ?? lineage.source_id;
    nodes.unshift({ id: `${id} `, kind: "source", layer: 0, href: `/collection/sources/${lineage.source_id}` });
    edges.push([`${id} `, dataset]);
  }
  const models = new Map((lineage.models ?? []).map((each) => [`${each.model_name}@${each.number}`, each]));
  const layers = new Map<string, number>();
  const layerOf = (id: string): number => {
    const known = layers.get(id);
    if (known !== undefined) return known;
    // A circle there is not; if there were one, it would end here.
    layers.set(id, 2);
    const parents = (models.get(id)?.parents ?? []).filter((each) => models.has(each));
    const layer = Math.max(2 + (models.get(id)?.through ?? []).length, ...parents.map((each) => 1 + layerOf(each)));
    layers.set(id, layer);
    return layer;
  };
  for (const [id, model] of models) {
    nodes.push({ id, kind: "model", layer: layerOf(id), href: `/models/${model.model_name}` });
    const parents = (model.parents ?? []).filter((each) => models.has(each));
    for (const parent of parents) edges.push([parent, id]);
    if (parents.length > 0 && Object.keys(model.dataset_versions ?? {}).length === 0) continue;
    // What lies between is named from the model on.
    const way = [dataset, ...(model.through ?? []).toReversed(), id];
    for (const [at, between] of way.slice(1, -1).entries()) {
      if (!nodes.some((each) => each.id === between)) {
        const href = `/collection/datasets/${between.split("@")[0] ?? between}`;
        nodes.push({ id: between, kind: "dataset", layer: 2 + at, href });
      }
    }
    for (const [at, next] of way.slice(1).entries()) {
      const edge: [string, string] = [way[at] ?? dataset, next];
      if (!edges.some(([from, to]) => from === edge[0] && to === edge[1])) edges.push(edge);
    }
  }
  return { nodes, edges };
}

const COLOURS = { source: "#8456ce", dataset: "#0972d3", model: "#037f0c" };

export function optionOf({ nodes, edges }: Picture): EChartsCoreOption {
  const sizes = new Map<number, number>();
  for (const { layer } of nodes) sizes.set(layer, (sizes.get(layer) ?? 0) + 1);
  const taken = new Map<number, number>();
  const placed = nodes.map(({ id, kind, layer }) => {
    const row = taken.get(layer) ?? 0;
    taken.set(layer, row + 1);
    return { name: id, x: layer * 220, y: (row - ((sizes.get(layer) ?? 1) - 1) / 2) * 60, itemStyle: { color: COLOURS[kind] } };
  });
  return {
    tooltip: { show: false },
    series: [
      {
        type: "graph",
        layout: "none",
        roam: true,
        left: 80,
        right: 80,
        top: 30,
        bottom: 30,
        symbolSize: 16,
        edgeSymbol: ["none", "arrow"],
        label: { show: true, position: "bottom" },
        lineStyle: { color: "#888", curveness: 0.1 },
        data: placed,
        links: edges.map(([source, target]) => ({ source, target })),
      },
    ],
  };
}
