"""What brings data by itself: schedules that are due, and webhooks that others call."""
