"""The life of a job inside its container: environment, channels, reporting, checkpoints, exit."""
