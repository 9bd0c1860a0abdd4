#!/bin/sh
# Notebooks written for a SageMaker notebook instance call this before they use the SDK's local
# mode: there it installs docker-compose. Here it installs nothing; it says what is missing.
for command in docker docker-compose; do
  if command -v "$command" >/dev/null; then
    echo "$command: $(command -v "$command")"
  else
    echo "$command is missing; only local mode needs it. See: sagemaker-emulator doctor"
  fi
done
