"""Where a job's reports go: the log, and the registry through a bounded buffer."""
