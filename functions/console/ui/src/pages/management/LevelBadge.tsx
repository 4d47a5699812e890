/** How bad something is. */

import StatusIndicator, { type StatusIndicatorProps } from "@cloudscape-design/components/status-indicator";

const TYPES: Record<string, StatusIndicatorProps.Type> = { debug: "stopped", info: "info", warning: "warning", error: "error", critical: "error" };

export function LevelBadge({ level }: { level: string | null | undefined }) {
  if (level == null) return <>–</>;
  return <StatusIndicator type={TYPES[level.toLowerCase()] ?? "info"}>{level.toLowerCase()}</StatusIndicator>;
}
