# make demo: from a fresh clone to a picture. make test: the whole suite. make check: everything a machine can judge.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

export OMP_NUM_THREADS ?= 1

.PHONY: demo test gpu-test check constraints clean

demo: $(VENV)/installed
	OMP_NUM_THREADS=$$(nproc) $(BIN)/limner imagine "red fox, glossy style, teal background" --steps 6

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

# On a machine with an NVIDIA GPU, at most two minutes.
gpu-test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m gpu tests/gpu

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	rm -f $(VENV)/check.db
	$(BIN)/alembic --config storage/alembic.ini -x url=sqlite:///$(VENV)/check.db upgrade head
	$(BIN)/alembic --config storage/alembic.ini -x url=sqlite:///$(VENV)/check.db check
	$(BIN)/hadolint Dockerfile

# The packages that stay for a user; then those that a developer needs.
$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed tests/wire/discord/document.mjs tests/wire/discord/package-lock.json
	$(PIP) --editable '.[dev]'
	$(BIN)/python tests/wire/discord/fetch_document.py
	touch $@

# Fix every version anew, after a change of what pyproject.toml asks for.
constraints: $(VENV)/installed-dev
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu//' > constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info
