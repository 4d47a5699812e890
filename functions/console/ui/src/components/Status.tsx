/** The status of anything, by one table of words. */

import StatusIndicator, { type StatusIndicatorProps } from "@cloudscape-design/components/status-indicator";

const TYPES: Record<string, StatusIndicatorProps.Type> = {
  SUBMITTED: "pending",
  QUEUED: "pending",
  PENDING: "pending",
  STARTING: "in-progress",
  RUNNING: "in-progress",
  UPDATING: "in-progress",
  CREATING: "in-progress",
  STOPPING: "in-progress",
  DELETING: "in-progress",
  ROLLING_OUT: "in-progress",
  INGESTING: "in-progress",
  AWAITING: "pending",
  UNDECIDED: "pending",
  SUCCEEDED: "success",
  READY: "success",
  ACTIVE: "success",
  COMPLETE: "success",
  COMPLETED: "success",
  PASSED: "success",
  APPROVED: "success",
  PROMOTED: "success",
  DELIVERED: "success",
  OK: "success",
  FAILED: "error",
  REJECTED: "error",
  BLOCKED: "error",
  AUTH_FAILED: "error",
  ALARM: "error",
  DEAD: "error",
  WARNED: "warning",
  DEGRADED: "warning",
  DOWN: "error",
  SPENT: "error",
  HELD: "warning",
  KEPT: "warning",
  STOPPED: "stopped",
  PRUNED: "stopped",
  PAUSED: "stopped",
  DISABLED: "stopped",
  DISCARDED: "stopped",
  EXPIRED: "stopped",
  SKIPPED: "stopped",
  OFF: "stopped",
};

export function Status({ status, children }: { status: string; children?: string }) {
  return <StatusIndicator type={TYPES[status.toUpperCase()] ?? "info"}>{children ?? status}</StatusIndicator>;
}

/** Whether it will still change by itself. */
export function isMoving(status: string): boolean {
  const type = TYPES[status.toUpperCase()];
  return type === "pending" || type === "in-progress";
}
