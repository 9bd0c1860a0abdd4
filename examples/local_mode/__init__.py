"""The SageMaker Python SDK's local mode against an emulator of one's own."""
