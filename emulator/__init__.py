"""A local emulator of Amazon SageMaker's training and hosting APIs."""

__version__ = "0.1.0"
