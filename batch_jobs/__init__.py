"""The container of every job: `python -m batch_jobs <kind>`, SageMaker's contract on Batch too."""
