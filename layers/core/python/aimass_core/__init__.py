"""The heart of AI Mass: contracts, use cases and their adapters, shared by every deployable."""

__version__ = "0.1.0"
