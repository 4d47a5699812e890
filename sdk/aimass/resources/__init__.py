"""One module per resource, named like its URL."""
