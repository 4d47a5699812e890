/** Which metrics are the better the smaller, as the platform knows them. */

const LOWER_IS_BETTER = new Set(["rmse", "mae", "log_loss", "hamming_loss", "scaled_mse", "scaled_mae", "latency_ms", "model_bytes"]);

export function isLowerBetter(metric: string): boolean {
  return LOWER_IS_BETTER.has(metric);
}
