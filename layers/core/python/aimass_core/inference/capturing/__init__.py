"""Requests with their answers, kept by sample: what an endpoint saw can be looked at later, and learnt from."""
