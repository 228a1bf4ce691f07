# make quickstart   environment, install, and a first GAN in a few minutes
# make test         everything that is tested
# make test-fast    the inner loop, about a minute: all but whole runs in processes of their own
# make lint         style, types and import walls
# make docs        the documentation as a site, site/index.html
# make zoo          every loss on the same data, as tables: hours, or with SMALL=1 a quarter of one (docs/zoo.md)
# make clean        remove what these made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: quickstart test test-fast lint docs zoo clean

quickstart: $(INSTALLED)
	$(BIN)/ganlab run docs/experiments/quickstart.toml
	@echo 'watch it:  $(BIN)/ganlab tensorboard'

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

test-fast: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m 'not slow'

lint: $(INSTALLED)
	$(BIN)/ruff check ganlab plugins tests docs
	$(BIN)/ruff format --check ganlab plugins tests docs
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

zoo: $(INSTALLED)
	$(BIN)/python tests/zoo/zoo.py $(if $(SMALL),--small) $(ZOO)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build site
	find ganlab plugins tests -name __pycache__ -type d -prune -exec rm -rf {} +
