# `make` lists the targets. PYTHON is the interpreter that .venv is made with: 3.11, 3.12 or 3.13.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST := -m pytest --numprocesses 2 --dist worksteal

export OMP_NUM_THREADS ?= 1

.PHONY: help demo format lint docs fast test soak coverage gpu-test check constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## from a fresh clone to a first image
	OMP_NUM_THREADS=$$(nproc) $(BIN)/limner imagine "red fox, glossy style, teal background" --steps 6

format: $(VENV)/installed-dev ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(VENV)/installed-dev ## all that is judged by reading: form, lint, docstrings, types, layers, the Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pydoclint --quiet pipeline
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

docs: $(VENV)/installed-dev ## whether what the pages point at exists: links, files, commands
	$(BIN)/python -m pytest tests/docs

fast: $(VENV)/installed-dev ## the tests that need no process, server or model, in a minute
	$(BIN)/python $(PYTEST) --fast

test: $(VENV)/installed-dev ## the suite, without the long ones
	$(BIN)/python $(PYTEST) -m 'not soak'

soak: $(VENV)/installed-dev ## kills, load and chaos for long, and every property on many more examples
	$(BIN)/python $(PYTEST) -m 'soak or hypothesis' --hypothesis-profile soak --timeout 1800

coverage: $(VENV)/installed-dev ## lines and branches that the suite reaches, in child processes too, held to their floor
	rm -rf build/coverage
	$(BIN)/coverage run $(PYTEST) -m 'not soak'
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

gpu-test: $(VENV)/installed-dev ## on a machine with an NVIDIA GPU, at most two minutes
	$(BIN)/python -m pytest -m gpu tests/gpu

check: lint docs ## lint, docs, and whether the migrations make the tables that the code has
	rm -f $(VENV)/check.db
	$(BIN)/alembic --config storage/alembic.ini -x url=sqlite:///$(VENV)/check.db upgrade head
	$(BIN)/alembic --config storage/alembic.ini -x url=sqlite:///$(VENV)/check.db check

# The packages that stay for a user; then those that a developer needs.
$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed tests/wire/discord/document.mjs tests/wire/discord/package-lock.json
	$(PIP) --editable '.[dev]'
	$(BIN)/python tests/wire/discord/fetch_document.py
	touch $@

constraints: $(VENV)/installed-dev ## fix every version again, of each extra too, after a change in pyproject.toml
	$(PIP) --editable '.[adamw8bit,dev,fp8,openvino,postgres]'
	$(BIN)/pip freeze --all --exclude pip --exclude-editable | sed 's/+cpu//' > constraints.txt

clean: ## remove what make and Python left here
	rm -rf $(VENV) build dist *.egg-info
