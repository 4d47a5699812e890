"""`python -m batch_jobs serve`: answers with models from folders, over HTTP and gRPC, as SageMaker's containers do."""
