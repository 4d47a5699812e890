/** Numbers, sizes and times as people read them. */

import i18next from "i18next";

const locale = () => (i18next.language === "zh" ? "zh-CN" : "en");

export function formatNumber(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return new Intl.NumberFormat(locale(), { maximumSignificantDigits: Math.abs(value) >= 10 ** digits ? undefined : digits, maximumFractionDigits: Math.abs(value) >= 10 ** digits ? 0 : undefined }).format(value);
}

export function formatBytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), units.length - 1);
  return `${formatNumber(value / 1000 ** power, 3)} ${units[power]}`;
}

/** Small sums keep their digits: a prediction costs millionths. */
export function formatUsd(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const digits = value === 0 || Math.abs(value) >= 0.01 ? { minimumFractionDigits: 2, maximumFractionDigits: 2 } : { maximumSignificantDigits: 2 };
  return new Intl.NumberFormat(locale(), { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", ...digits }).format(value);
}

export function formatSeconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value < 60) return `${formatNumber(value, 3)} s`;
  const minutes = Math.floor(value / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(value % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function formatTime(value: string | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "medium" }).format(new Date(value));
}

export function formatDay(value: string): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium" }).format(new Date(value));
}

/** With the exact time for whoever points at it. */
export function Time({ at }: { at: string | null | undefined }) {
  if (at === null || at === undefined) return <>–</>;
  return (
    <time dateTime={at} title={at}>
      {formatTime(at)}
    </time>
  );
}
