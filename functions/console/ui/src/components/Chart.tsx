/** A chart by ECharts: what Cloudscape has no chart for, or that has too many points for SVG.
 *
 * Lines of many points are thinned by their extremes, for what is looked at, so that a million stay quick and no peak is lost.
 */

import type { ECharts, EChartsCoreOption } from "echarts/core";
import { useEffect, useRef, useState } from "react";

import { usePreferences } from "../app/preferences";
import { ManyPoints } from "./thinning";

interface Props {
  option: EChartsCoreOption;
  /** What there is to see, for those who cannot. */
  label: string;
  heightPx?: number;
  onClick?: (event: { name: string; seriesName?: string; dataIndex: number; data: unknown }) => void;
}

/** The part of the x axis that is looked at, in percent. */
interface Zoom {
  start: number;
  end: number;
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
    if (chart === null) return;
    const many = ManyPoints.of(option);
    chart.setOption(
      {
        backgroundColor: "transparent",
        animation: false,
        animationDuration: PREFERS_STILL.matches ? 0 : 200,
        aria: { enabled: true, label: { description: label } },
        // NOTE: tooltips as HTML carry style attributes, which the content security policy refuses; and names of users.
        tooltip: { renderMode: "richText", confine: true, trigger: "axis" },
        ...(many?.optionOf(option, chart.getWidth()) ?? option),
      },
      { notMerge: true },
    );
    if (many === null) return;
    let shown: Zoom = { start: 0, end: 100 };
    let frame = 0;
    const redraw = () => {
      frame = 0;
      chart.setOption({ series: many.seriesOf(shown.start, shown.end, chart.getWidth()) });
    };
    // Once for each frame, however often the wheel turns.
    const listen = (event: unknown) => {
      const zoom = event as Zoom & { batch?: Zoom[] };
      shown = zoom.batch?.[0] ?? zoom;
      if (frame === 0) frame = requestAnimationFrame(redraw);
    };
    chart.on("datazoom", listen);
    return () => {
      cancelAnimationFrame(frame);
      if (!chart.isDisposed()) chart.off("datazoom", listen);
    };
  }, [chart, option, label]);

  useEffect(() => {
    if (chart === null || onClick === undefined) return;
    const listen = (event: unknown) => onClick(event as Parameters<typeof onClick>[0]);
    chart.on("click", listen);
    return () => void chart.off("click", listen);
  }, [chart, onClick]);

  return <div ref={place} role="img" aria-label={label} style={{ height: heightPx, width: "100%" }} />;
}
