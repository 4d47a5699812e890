/** A chart by ECharts: what Cloudscape has no chart for, or that has too many points for SVG.
 *
 * Lines are thinned by their extremes (`sampling: "minmax"`), so that a million points stay quick and no peak is lost.
 */

import type { ECharts, EChartsCoreOption } from "echarts/core";
import { useEffect, useRef, useState } from "react";

import { usePreferences } from "../app/preferences";

interface Props {
  option: EChartsCoreOption;
  /** What there is to see, for those who cannot. */
  label: string;
  heightPx?: number;
  onClick?: (event: { name: string; seriesName?: string; dataIndex: number; data: unknown }) => void;
}

const PREFERS_STILL = matchMedia("(prefers-reduced-motion: reduce)");

export function Chart({ option, label, heightPx = 300, onClick }: Props) {
  const { isDark } = usePreferences();
  const place = useRef<HTMLDivElement>(null);
  const [chart, setChart] = useState<ECharts | null>(null);

  useEffect(() => {
    let made: ECharts | null = null;
    let isGone = false;
    const observer = new ResizeObserver(() => made?.resize());
    void import("./echarts").then(({ init }) => {
      if (isGone || place.current === null) return;
      made = init(place.current, isDark ? "dark" : undefined, { renderer: "canvas" });
      observer.observe(place.current);
      setChart(made);
    });
    return () => {
      isGone = true;
      observer.disconnect();
      made?.dispose();
      setChart(null);
    };
  }, [isDark]);

  useEffect(() => {
    chart?.setOption(
      {
        backgroundColor: "transparent",
        animation: false,
        animationDuration: PREFERS_STILL.matches ? 0 : 200,
        aria: { enabled: true, label: { description: label } },
        // NOTE: tooltips as HTML carry style attributes, which the content security policy refuses; and names of users.
        tooltip: { renderMode: "richText", confine: true, trigger: "axis" },
        ...option,
      },
      { notMerge: true },
    );
  }, [chart, option, label]);

  useEffect(() => {
    if (chart === null || onClick === undefined) return;
    const listen = (event: unknown) => onClick(event as Parameters<typeof onClick>[0]);
    chart.on("click", listen);
    return () => void chart.off("click", listen);
  }, [chart, onClick]);

  return <div ref={place} role="img" aria-label={label} style={{ height: heightPx, width: "100%" }} />;
}
