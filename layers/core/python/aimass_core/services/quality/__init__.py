"""What is expected of datasets: checked at every new version, reported, suggested."""
