"""Debugger and profiler of a training job: kept and shown as AWS does, and nothing is collected.

They are not refused because the SageMaker Python SDK adds a configuration to every job, and a
profiler rule to many.
"""

from emulator.call import Document

INTERVAL = 500
"""Milliseconds between system metrics unless a request says otherwise."""


def described(request: Document, at: float) -> Document:
    """Return what DescribeTrainingJob shows beside the members of a CreateTrainingJob request."""
    return {
        **profiler(request.get("ProfilerConfig")),
        **{
            f"{family}RuleEvaluationStatuses": left_alone(rules, at)
            for family in ("Debug", "Profiler")
            if (rules := request.get(f"{family}RuleConfigurations"))
        },
    }


def profiler(config: Document | None) -> Document:
    """Return a ProfilerConfig with its defaults, and the status that it means."""
    if config is None:
        return {"ProfilingStatus": "Disabled"}
    if config.get("DisableProfiler"):
        return {"ProfilerConfig": config, "ProfilingStatus": "Disabled"}
    filled = {"ProfilingIntervalInMilliseconds": INTERVAL, "DisableProfiler": False, **config}
    return {"ProfilerConfig": filled, "ProfilingStatus": "Enabled"}


def left_alone(rules: list[Document], at: float) -> list[Document]:
    """Return the statuses of rules, which no container here evaluates."""
    return [
        {
            "RuleConfigurationName": rule["RuleConfigurationName"],
            "RuleEvaluationStatus": "Error",
            "StatusDetails": "Rule evaluation is not emulated yet.",
            "LastModifiedTime": at,
        }
        for rule in rules
    ]
