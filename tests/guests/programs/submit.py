"""Trains with AWS's SageMaker SDK, and prints what it made of it."""

import json
import pathlib
import sys

from sagemaker.core.helper.session_helper import Session
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, SourceCode

image, role, bucket, fail = sys.argv[1:]
trainer = ModelTrainer(
    # Without a bucket the session asks STS for the account, at an address of its own that no endpoint URL changes.
    sagemaker_session=Session(default_bucket=bucket),
    training_image=image,
    role=role,
    source_code=SourceCode(source_dir=str(pathlib.Path(__file__).parent), entry_script="fit.py"),
    compute=Compute(instance_type="ml.m5.large", instance_count=2),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/sdk"),
    hyperparameters={"slope": 0.5, **({"fail": fail} if fail else {})},
    base_job_name="sdk",
)
reason = None
try:
    trainer.train(input_data_config=[InputData(channel_name="train", data_source=f"s3://{bucket}/rows/")], wait=True)
except Exception as error:
    if trainer._latest_training_job is None:
        raise
    reason = f"{type(error).__name__}: {error}"
job = trainer._latest_training_job.refresh()
print(
    json.dumps(
        {
            "name": job.training_job_name,
            "status": job.training_job_status,
            "model": None if reason else job.model_artifacts.s3_model_artifacts,
            "reason": reason,
        }
    )
)
