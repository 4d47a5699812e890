"""Use cases: plain functions over ports, one module per resource."""
