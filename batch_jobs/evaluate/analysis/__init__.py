"""What a report says beside the metrics: curves, calibration, errors, slices and examples, each bounded in size."""
