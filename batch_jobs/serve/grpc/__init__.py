"""The container on gRPC: the Open Inference Protocol's service, as Triton's clients and KServe's call it."""
