/** Lines of many points, thinned to what a picture can show: the lowest and the highest of each column of pixels. */

/** x and y in turns. */
export type Pairs = Float64Array;

/** So many points are drawn as they are. */
export const MANY_POINTS = 5_000;
/** Of all lines of a picture together, and of each at least: beyond that drawing them takes longer than a frame may. */
const MAX_COLUMNS = 2_000;
const MIN_COLUMNS = 150;

export function numOf(pairs: Pairs): number {
  return pairs.length / 2;
}

/** With x from small to large; a line whose x goes back and forth, or is missing somewhere, is null: it has no columns. */
export function inOrder(pairs: Pairs): Pairs | null {
  const num = numOf(pairs);
  let isRising = true;
  let isFalling = true;
  for (let index = 1; index < num && (isRising || isFalling); index += 1) {
    const step = pairs[2 * index]! - pairs[2 * index - 2]!;
    if (!(step >= 0)) isRising = false;
    if (!(step <= 0)) isFalling = false;
  }
  if (isRising) return pairs;
  if (!isFalling) return null;
  const turned = new Float64Array(pairs.length);
  for (let index = 0; index < num; index += 1) {
    turned[2 * index] = pairs[2 * (num - 1 - index)]!;
    turned[2 * index + 1] = pairs[2 * (num - 1 - index) + 1]!;
  }
  return turned;
}

/** Of ordered pairs those from x `from` to x `to`, and one beyond on either side, so that the line runs out of the picture. */
export function thin(pairs: Pairs, from: number, to: number, numColumns: number): Pairs {
  const first = Math.max(firstFrom(pairs, from) - 1, 0);
  const last = Math.min(firstFrom(pairs, to, true), numOf(pairs) - 1);
  if (last - first < 2 * numColumns) return pairs.subarray(2 * first, 2 * last + 2);
  const kept = new Float64Array(4 * numColumns + 4);
  let length = 0;
  const keep = (index: number) => {
    kept[length] = pairs[2 * index]!;
    kept[length + 1] = pairs[2 * index + 1]!;
    length += 2;
  };
  keep(first);
  const width = (to - from) / numColumns;
  let index = first + 1;
  for (let column = 1; column <= numColumns && index < last; column += 1) {
    const end = column === numColumns ? Infinity : from + column * width;
    if (pairs[2 * index]! >= end) continue;
    let low = index;
    let high = index;
    for (; index < last && pairs[2 * index]! < end; index += 1) {
      const value = pairs[2 * index + 1]!;
      // NOTE: nothing compares with a gap, so whatever comes after one takes its place.
      if (value < pairs[2 * low + 1]! || Number.isNaN(pairs[2 * low + 1]!)) low = index;
      if (value > pairs[2 * high + 1]! || Number.isNaN(pairs[2 * high + 1]!)) high = index;
    }
    keep(Math.min(low, high));
    if (low !== high) keep(Math.max(low, high));
  }
  keep(last);
  return kept.subarray(0, length);
}

/** The position of the first point whose x is at least (or `isBeyond`: more than) that. */
function firstFrom(pairs: Pairs, x: number, isBeyond = false): number {
  let low = 0;
  let high = numOf(pairs);
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = pairs[2 * middle]!;
    if (at < x || (isBeyond && at === x)) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Drawn {
  type?: unknown;
  data?: unknown;
}

/** The lines of an option of ECharts that have too many points; null: none has. */
export class ManyPoints {
  private constructor(
    private readonly series: readonly Drawn[],
    private readonly lines: ReadonlyMap<number, Pairs>,
    private readonly from: number,
    private readonly to: number,
  ) {}

  static of(option: object): ManyPoints | null {
    const series = ((option as { series?: readonly Drawn[] }).series ?? []) as readonly Drawn[];
    const lines = new Map<number, Pairs>();
    series.forEach(({ type, data }, index) => {
      const pairs = type === "line" && data instanceof Float64Array && numOf(data) > MANY_POINTS ? inOrder(data) : null;
      if (pairs !== null) lines.set(index, pairs);
    });
    if (lines.size === 0 || lines.size < series.length) return null;
    const all = [...lines.values()];
    const from = Math.min(...all.map((each) => each[0]!));
    const to = Math.max(...all.map((each) => each.at(-2)!));
    return from < to ? new ManyPoints(series, lines, from, to) : null;
  }

  /** What stands in place of the whole lines: those of a window of the x axis (in percent) for a picture of such a width. */
  seriesOf(start: number, end: number, widthPx: number): object[] {
    const [from, to] = [start, end].map((percent) => this.from + ((this.to - this.from) * percent) / 100) as [number, number];
    const numColumns = Math.max(Math.min(Math.round(widthPx), Math.round(MAX_COLUMNS / this.lines.size)), MIN_COLUMNS);
    return this.series.map((_, index) => ({ data: thin(this.lines.get(index)!, from, to, numColumns), sampling: undefined }));
  }

  /** The axis stays that of all points, whatever is drawn of them.
   *
   * The lines have a canvas of their own and do not change under the pointer: what follows it is drawn without them.
   */
  optionOf(option: object, widthPx: number): object {
    const { xAxis, dataZoom } = option as { xAxis?: object; dataZoom?: readonly object[] };
    const thinned = this.seriesOf(0, 100, widthPx);
    return {
      ...option,
      xAxis: { ...xAxis, min: this.from, max: this.to, axisPointer: { triggerEmphasis: false } },
      dataZoom: dataZoom?.map((each) => ({ ...each, filterMode: "none", showDataShadow: false })),
      series: this.series.map((each, index) => ({ ...each, ...thinned[index], zlevel: -1, emphasis: { disabled: true }, lineStyle: { width: 1 } })),
    };
  }
}
