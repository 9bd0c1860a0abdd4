"""What a client does through boto3: jobs until they end, endpoints until they serve."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.bench.emulator import ROLE, Emulator, client
from tests.bench.engine import IMAGE
from tests.bench.measure import until

BUCKET = "bench"


class Resources:
    """Creates resources of an emulator under fresh names."""

    def __init__(self, emulator: Emulator) -> None:
        self.sagemaker = client("sagemaker", emulator.url)
        self.s3 = client("s3", emulator.url)
        self._numbers = itertools.count()
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )

    def train(self, pause: float = 0.005, **request: Any) -> str:
        """Run one job from CreateTrainingJob until Describe says Completed; return its name.

        Args:
            pause: seconds between two looks.
            request: members that replace those of the trivial job.
        """
        name = f"job-{next(self._numbers)}"
        trivial = {
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
        }
        self.sagemaker.create_training_job(TrainingJobName=name, **{**trivial, **request})

        def completed() -> bool:
            job = self.sagemaker.describe_training_job(TrainingJobName=name)
            if job["TrainingJobStatus"] in ("Failed", "Stopped"):
                raise RuntimeError(job.get("FailureReason"))
            return bool(job["TrainingJobStatus"] == "Completed")

        until(completed, "a training job completes", seconds=300, pause=pause)
        return name

    def train_many(self, count: int) -> float:
        """Run so many jobs at once; return jobs per second."""
        began = time.perf_counter()
        with ThreadPoolExecutor(count) as threads:
            # So many callers that look all the time would be what is measured.
            list(threads.map(lambda _: self.train(pause=0.05), range(count)))
        return count / (time.perf_counter() - began)

    def configure(self, delay: float = 0.0, **container: str) -> str:
        """Create a model and an endpoint configuration; return their name.

        Args:
            container: members of PrimaryContainer.
        """
        name = f"config-{next(self._numbers)}"
        environment = {"BENCH_DELAY_SECONDS": str(delay)}
        self.sagemaker.create_model(
            ModelName=name,
            PrimaryContainer={"Image": IMAGE, "Environment": environment, **container},
            ExecutionRoleArn=ROLE,
        )
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": "AllTraffic",
                    "ModelName": name,
                    "InitialInstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                }
            ],
        )
        return name

    def deploy(self, config: str) -> str:
        """Create an endpoint, wait until it is InService and return its name."""
        name = f"endpoint-{next(self._numbers)}"
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)

        def in_service() -> bool:
            endpoint = self.sagemaker.describe_endpoint(EndpointName=name)
            if endpoint["EndpointStatus"] == "Failed":
                raise RuntimeError(endpoint.get("FailureReason"))
            return bool(endpoint["EndpointStatus"] == "InService")

        until(in_service, "a trivial endpoint comes into service")
        return name

    def delete_endpoint(self, name: str) -> None:
        """Delete an endpoint and wait until it is gone."""
        self.sagemaker.delete_endpoint(EndpointName=name)

        def gone() -> bool:
            try:
                self.sagemaker.describe_endpoint(EndpointName=name)
            except self.sagemaker.exceptions.ClientError:
                return True
            return False

        until(gone, "an endpoint is deleted")
