# `make help` lists what there is. Every target may be run again: what is done is not done twice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# A lock names everything, so nothing is resolved: pip's older resolvers find a newer release of
# what another package wants with an extra, and then have no hash for it.
LOCKED := --no-deps --require-hashes
SDKS := $(foreach version,v1 v2 v3,.venv-sdk/$(version)/.installed)
# Two tests at a time; tests/conftest.py says which may.
SIDE_BY_SIDE := --numprocesses 2
# The engine that `make engine` found, for whatever speaks to it.
ON_ENGINE = DOCKER_HOST=$$($(PYTHON) scripts/engine.py find)

.DEFAULT_GOAL := help
.PHONY: help install engine compose browser podman images sdks lock check format up demo demo-local test coverage test-fast accuracy endurance bench clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Create .venv with the locked dependencies and the emulator in it
	@:

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make install PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies into $(VENV) (about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(LOCKED) --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
	@echo "Installed. Next: make engine images"

engine: ## Find a container engine; on Debian and Ubuntu, as root, install and start one if need be
	@$(PYTHON) scripts/engine.py

compose: ## Find docker-compose, which the SDKs' local mode calls; on Debian and Ubuntu, as root, install it
	@$(PYTHON) scripts/compose.py

browser: ## Find Chromium and its driver, which the tests use; on Debian, as root, install them
	@$(PYTHON) scripts/browser.py

podman: ## Find Podman, on which a few tests run, too; on Debian, as root, install it
	@$(PYTHON) scripts/podman.py

images: install engine ## Build the images (some minutes at first, then a second); PULL=1 asks a registry
	@$(BIN)/sagemaker-emulator images build $(if $(PULL),--images-pull)

sdks: $(SDKS) ## Create the environments of the SageMaker Python SDK's three versions, for the tests
	@:

# The notebook image has the first two; nothing but tests uses the third.
.venv-sdk/v1/.installed: images/sagemaker-sdk/1.72.1/requirements.lock
.venv-sdk/v2/.installed: images/sagemaker-sdk/2.257.7/requirements.lock
.venv-sdk/v3/.installed: tests/sdk/requirements/v3.lock

# Without build isolation, so that what is published as source is built by the locked setuptools.
.venv-sdk/%/.installed:
	@test -x .venv-sdk/$*/bin/python || $(PYTHON) -m venv .venv-sdk/$*
	@echo "Installing the SageMaker Python SDK $* into .venv-sdk/$* (about a minute) ..."
	@.venv-sdk/$*/bin/python -m pip install --quiet --disable-pip-version-check setuptools==65.7.0 wheel==0.45.1
	@.venv-sdk/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
	  --no-compile $(LOCKED) --requirement $(filter %.lock,$^)
	@touch $@

lock: install ## Compile the locks anew from pyproject.toml and the requirements.in of images and tests
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	scripts/lock.sh $(BIN)/uv

check: install ## Lint, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## Format the code
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

up: images ## Run the emulator in the foreground
	@$(ON_ENGINE) $(BIN)/sagemaker-emulator up

demo: install engine ## Digits through MXNet and Chainer: S3, train, deploy, invoke, a report
	@$(BIN)/sagemaker-emulator images build mxnet-training:1.9.1 mxnet-inference:1.9.1 chainer
	@$(ON_ENGINE) $(BIN)/python -m examples.digits.demo

demo-local: images compose .venv-sdk/v2/.installed ## Digits in the SageMaker Python SDK's local mode, by docker-compose
	@$(ON_ENGINE) $(BIN)/python -m examples.local_mode.demo

# The SDKs are installed while images are built. Package managers take turns.
test: install engine ## Run every test but those of `accuracy` and `endurance`, real containers included
	@$(MAKE) --no-print-directory --jobs 2 images sdks
	@$(MAKE) --no-print-directory compose browser podman
	$(ON_ENGINE) $(BIN)/pytest $(SIDE_BY_SIDE) -m "not accuracy and not endurance"

coverage: images compose browser podman sdks ## Run the same tests, and tell which lines of the emulator they ran
	@rm -f .coverage .coverage.*
	$(ON_ENGINE) $(BIN)/pytest -m "not accuracy and not endurance" --cov --cov-report=term:skip-covered

accuracy: images ## See how well image-classification learns digits and photographs (two minutes)
	$(ON_ENGINE) $(BIN)/pytest -m accuracy --log-cli-level=INFO

endurance: images ## Start the emulator 200 times, on a busy machine and with clients that do not wait (STARTS=N)
	$(ON_ENGINE) $(BIN)/pytest -m endurance --log-cli-level=INFO -s

test-fast: install ## Run the tests that need no container engine
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not docker"

bench: images ## Measure the emulator against what it stands on
	@$(ON_ENGINE) $(BIN)/python -m tests.bench

clean: ## Remove .venv and caches; images and the emulator's state stay
	rm -rf $(VENV) .venv-sdk .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist *.egg-info
