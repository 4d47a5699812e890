.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Files in their order, which begins with the longest: those that start a local cloud. These wait for others half of
# their time, hence a process more than there are processors.
SHARED_OUT := --numprocesses $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Tests start hundreds of processes that import our modules, which they are to find compiled.
unexport PYTHONDONTWRITEBYTECODE

help: ## What there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: $(VENV)/.local ## Set up, start the local cloud, run the main job, leave it running
	@$(BIN)/python examples/demo.py $(DEMO)

test: $(VENV)/.dev ## Set up and run the tests
	$(BIN)/python -m pytest $(SHARED_OUT)

test-slow: $(VENV)/.dev ## Test what takes minutes: more frameworks and failures of several machines
	$(BIN)/python -m pytest -m slow $(SHARED_OUT)

test-spark: $(VENV)/.dev ## Test Spark beside DuckDB and Athena; needs Java
	$(INSTALL) $(BIN) spark
	$(BIN)/python -m pytest -m slow tests/integration/prepare tests/integration/adapters/test_emr_serverless.py \
		tests/e2e/test_spark_recipes.py tests/e2e/test_sql.py

SEEDS ?= 20000
SOAK ?=
soak: $(VENV)/.dev ## Simulate the platform by SEEDS seeds; SOAK="--crash-points 10" instead: every fault at every effect
	$(BIN)/python -m tests.simulation.soak --seeds $(SEEDS) --processes $$(nproc) $(SOAK)

CHAOS_SECONDS ?= 600
chaos: $(VENV)/.dev ## Kill workers of a local cloud under traffic, deploy it anew in the middle, count what is lost
	$(BIN)/python -m tests.chaos.run --seconds $(CHAOS_SECONDS) --json build/chaos.json

KILLS ?= 200
KILLS_SEED ?= 15
kills: $(VENV)/.dev ## Kill a local cloud KILLS times in the middle of writes; nothing acknowledged may be lost
	$(BIN)/python -m tests.chaos.kills --kills $(KILLS) --seed $(KILLS_SEED) --json build/kills.json

lint: $(VENV)/.dev ## Style, types, import rules and Dockerfiles
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports
	$(BIN)/hadolint batch_jobs/images/Dockerfile batch_jobs/images/spark.Dockerfile localstack/Dockerfile sdk/aimass/exported/Dockerfile

bench: $(VENV)/.dev ## Speed and memory beside a peer, as tables
	$(BIN)/python -m pytest tests/benchmarks -m benchmark -s

# The CDK runs on Node, which comes from PyPI.
NODE := PATH="$(CURDIR)/$(VENV)-console/bin:$$PATH"

synth: $(VENV)/.cdk $(VENV)-console/bin/npm ## Synthesize the CDK app and write infra/cdk/template
	$(NODE) $(VENV)-cdk/bin/python -m infra.cdk.snapshot

# NOTE: newer majors of the CDK's command do not read what this library writes.
ENV ?= dev
CDK = cd infra/cdk && PATH="$(CURDIR)/$(VENV)-cdk/bin:$(CURDIR)/$(VENV)-console/bin:$$PATH" npx --yes aws-cdk@2.1148.1

diff: $(VENV)/.layers console ## What `make deploy ENV=dev` would change in the AWS account of your credentials
	$(CDK) diff --all --context environment=$(ENV)

deploy: $(VENV)/.layers console ## Deploy to the AWS account of your credentials: ENV=dev or prod (docs/DEPLOY.md)
	$(CDK) deploy --all --context environment=$(ENV)

destroy: $(VENV)/.layers ## Remove the stacks of ENV; tables and buckets stay
	$(CDK) destroy --all --context environment=$(ENV)

image: ## Build the container of jobs and endpoints (needs Docker; IMAGE=<registry>/<name>:<tag>)
	docker build --file batch_jobs/images/Dockerfile --tag $(or $(IMAGE),aimass) .

spark-image: ## Build the container of recipes on Spark (needs Docker; IMAGE=<registry>/<name>:<tag> RELEASE=<image>@sha256:...)
	@case "$(RELEASE)" in *@sha256:*) ;; *) echo "RELEASE has to name an image by its digest: see batch_jobs/images/spark.Dockerfile" >&2; exit 2 ;; esac
	docker build --file batch_jobs/images/spark.Dockerfile --build-arg RELEASE=$(RELEASE) --tag $(or $(IMAGE),aimass-spark) .

test-image: $(VENV)/.dev ## Test the image's entry points in what it installs, without Docker (3 GB)
	rm -rf build/image && batch_jobs/images/install.sh $(CURDIR)/build/image
	rm -rf build/spark-image && PYTHON=$(BIN)/python batch_jobs/images/install_spark.sh $(CURDIR)/build/spark-image
	AIMASS_IMAGE=$(CURDIR)/build/image AIMASS_SPARK_IMAGE=$(CURDIR)/build/spark-image $(BIN)/python -m pytest tests/image

# What the images and the console's page are made of; of the layers the first image has all but a few.
sbom: $(VENV)/.local $(VENV)/.audit $(VENV)-console/bin/npm ## Bills of materials (CycloneDX) in build/sbom, and licences that are not agreed to
	mkdir -p build/sbom
	$(VENV)-audit/bin/cyclonedx-py environment --output-reproducible --output-file build/sbom/python.json $(BIN)/python
	for file in image spark-image $(patsubst layers/%/requirements.txt,%,$(wildcard layers/*/requirements.txt)); do \
		$(VENV)-audit/bin/cyclonedx-py requirements --output-reproducible --output-file build/sbom/$$file.json \
			$$([ -d layers/$$file ] && echo layers/$$file/requirements.txt || echo requirements/$$file.txt) || exit; done
	$(NPM) sbom --silent --package-lock-only --omit dev --sbom-format cyclonedx > build/sbom/console.json
	$(BIN)/python -m infra.licences build/sbom/python.json --locked requirements/local.txt > build/sbom/licences.tsv
	$(BIN)/python -m infra.licences build/sbom/console.json >> build/sbom/licences.tsv

audit: $(VENV)/.audit $(VENV)-console/bin/npm ## Ask for advisories about everything that is locked
	requirements/audit.sh $(VENV)-audit/bin $(VENV)-console/bin

test-roles: $(VENV)/.dev ## End-to-end tests under an emulator that enforces roles, and how many of their statements tests need
	AIMASS_TEST_AUTH=1 $(BIN)/python -m pytest tests/e2e

test-target: $(VENV)/.dev ## Test a platform elsewhere: TEST_TARGET=localstack or aws (tests/targets.py), and list what is skipped
	$(BIN)/python -m pytest -rs tests/integration/adapters tests/e2e

test-infra: $(VENV)/.cdk $(VENV)-console/bin/npm ## Test the infrastructure against a fresh synth
	$(NODE) $(VENV)-cdk/bin/python -m pytest tests/infra

test-sagemaker: $(VENV)/.dev $(VENV)/.sagemaker ## Test AWS's SageMaker SDK and container toolkit as guests of the local cloud (1 GB)
	$(BIN)/python -m pytest tests/guests

# What the console is made of: its types come from the OpenAPI document, which comes from the code of the API.
UI := functions/console/ui
NPM := $(NODE) npm --prefix $(UI)

console: $(VENV)/.local $(UI)/node_modules/.package-lock.json ## Build the console (brings Node along)
	$(BIN)/python -m functions.api.openapi > $(UI)/openapi.json
	$(NPM) run --silent types
	$(NPM) run --silent check
	$(NPM) run --silent build

test-clients: $(VENV)/.dev $(UI)/node_modules/.package-lock.json ## Test clients that are generated from the OpenAPI document: Python, TypeScript and, with a JDK, Java
	$(NODE) $(BIN)/python -m pytest -m slow tests/clients -rs

test-browser: console $(VENV)/.browser ## Test the console in Chromium (Debian's, or Playwright's own)
	$(NPM) test --silent
	$(BIN)/python -m pytest tests/browser -m browser $(BROWSER)

up: $(VENV)/.local ## Start the local cloud
	@$(BIN)/aimass local up

down: ## Stop the local cloud
	@$(BIN)/aimass local down

requirements: $(VENV)/.dev ## Resolve the locked requirement files anew
	./requirements/compile.sh $(BIN)

clean: ## Remove environments, caches and local state
	rm -rf $(VENV) $(VENV)-cdk $(VENV)-console $(VENV)-sagemaker $(VENV)-audit $(UI)/node_modules .aimass build cdk.out .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Of what is installed each file hashes to what the requirement file says.
INSTALL := ./requirements/install.sh

$(VENV)/.local: requirements/local.txt requirements/torch.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL) $(BIN) local
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.local
	$(INSTALL) $(BIN) dev
	@touch $@

# A separate environment: jsii and the emulator do not need to agree on their dependencies.
$(VENV)/.cdk: requirements/cdk.txt pyproject.toml | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)-cdk
	$(INSTALL) $(VENV)-cdk/bin cdk
	$(VENV)-cdk/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.browser: requirements/browser.txt $(VENV)/.dev
	$(INSTALL) $(BIN) browser
	command -v chromium >/dev/null || { apt-get -qq update && apt-get -qqy install --no-install-recommends chromium; } \
		|| $(BIN)/python -m playwright install --with-deps chromium
	@touch $@

$(VENV)/.layers: $(wildcard layers/*/requirements.txt) $(VENV)/.cdk
	$(VENV)-cdk/bin/python -m infra.cdk.build_layers
	@touch $@

# AWS's SageMaker packages want a newer botocore than the emulator.
$(VENV)/.sagemaker: requirements/sagemaker.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)-sagemaker
	$(INSTALL) $(VENV)-sagemaker/bin sagemaker
	@touch $@

$(VENV)/.audit: requirements/audit.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)-audit
	$(INSTALL) $(VENV)-audit/bin audit
	@touch $@

# Node from PyPI, so that nothing has to be there.
$(VENV)-console/bin/npm: requirements/console.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)-console
	$(INSTALL) $(VENV)-console/bin console
	@touch $@

$(UI)/node_modules/.package-lock.json: $(UI)/package-lock.json $(VENV)-console/bin/npm
	$(NPM) ci --silent --no-audit --no-fund
	@touch $@

.PHONY: help demo test test-slow test-spark soak chaos kills lint bench synth diff deploy destroy image spark-image test-image sbom audit test-roles test-target test-infra test-sagemaker console test-browser test-clients up down requirements clean
