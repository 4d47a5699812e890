"""Neural networks on PyTorch."""
