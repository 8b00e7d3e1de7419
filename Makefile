# Every target makes the environment it needs; a second run starts at once.

PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)

VENV := .venv
PY := $(VENV)/bin/python
TESTS := -m tools.measured_tests -n auto --dist worksteal
PLAIN_TESTS := -m pytest -q -n auto --dist worksteal

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DELETE_ON_ERROR:
.PRECIOUS: .venv-3.%/.ready-test
.PHONY: help demo test bench docs site pictures lint types soak test-lowest test-others test-extras audit build clean

help:
	@echo "make demo         watch the client at work against a Cliniko on loopback"
	@echo "make test         everything that must hold before a change lands"
	@echo "make lint         ruff: rules and format"
	@echo "make types        mypy and pyright, both strict"
	@echo "make docs         write the generated pages"
	@echo "make site         build the documentation site, strictly"
	@echo "make pictures     draw the pictures of the documents anew"
	@echo "make bench        measure the speed budgets"
	@echo "make soak         a long run under faults"
	@echo "make test-lowest  the tests against the oldest dependencies allowed"
	@echo "make test-extras  each extra in an environment of its own"
	@echo "make audit        known vulnerabilities of the installed packages"
	@echo "make build        wheel and source archive in dist/, checked"
	@echo "make clean        remove everything that was made"

demo: $(VENV)/.ready-demo
	@$(PY) examples/stream_appointment_types.py

test: lint types docs-current site test-others
	@$(PY) $(TESTS)

lint: $(VENV)/.ready-dev
	@$(PY) -m ruff check --quiet
	@$(PY) -m ruff format --check --quiet
	@echo "ruff: clean"

types: $(VENV)/.ready-dev
	@$(PY) -m mypy
	@$(PY) -m pyright --pythonpath $(PY)

docs: $(VENV)/.ready-dev
	@$(PY) -m tools.docs

site: $(VENV)/.ready-dev
	@mkdir -p .cache
	@NO_COLOR=1 $(PY) -m zensical build --strict > .cache/site.log 2>&1 || { cat .cache/site.log; exit 1; }
	@echo "site: no broken links"

pictures: $(VENV)/.ready-dev
	@$(PY) -m tools.trace_picture
	@$(PY) -m tools.screenshots

.PHONY: docs-current
docs-current: $(VENV)/.ready-dev
	@$(if $(wildcard tools/docs.py),$(PY) -m tools.docs --check)

bench: $(VENV)/.ready-bench
	@$(PY) -m benchmarks

soak: $(VENV)/.ready-dev
	@$(PY) -m benchmarks.soak $(if $(HISTORIES),--histories $(HISTORIES))

build: $(VENV)/.ready-dev
	@rm -rf dist
	@$(PY) -m build --outdir dist
	@$(PY) -m twine check --strict dist/*

test-extras: $(VENV)/.ready-dev
	@$(PY) -m tools.extras

audit: $(VENV)/.ready-dev
	@$(PY) -m tools.audit

# Each runs the tests; continuous integration has a job for each instead, and none here.
OTHERS ?= 3.12 3.13

test-others:
	@for v in $(OTHERS); do \
		if "python$$v" -c '' 2>/dev/null; then $(MAKE) --no-print-directory "test-$$v" || exit 1; \
		else echo "Python $$v: not found on PATH, so nothing was tested with it"; fi; \
	done

test-3.%: .venv-3.%/.ready-test
	@echo "Python 3.$*:"
	@.venv-3.$*/bin/python $(PLAIN_TESTS)

test-lowest: .venv-lowest/.ready
	@.venv-lowest/bin/python $(PLAIN_TESTS)

# One stamp for each extra, so that a demo does not wait for the type checkers.
$(VENV)/.ready-%: pyproject.toml | $(PY)
	@echo "Installing cliniko-async with what '$*' needs (once) ..."
	@$(PY) -m pip install -qq --editable ".[$*]"
	@touch $@

.venv-3.%/.ready-test: pyproject.toml
	@echo "Installing cliniko-async for Python 3.$* (once) ..."
	@python3.$* -m venv .venv-3.$*
	@.venv-3.$*/bin/python -m pip install -qq --editable ".[test]"
	@touch $@

.venv-lowest/.ready: pyproject.toml tools/lowest.py | python
	@echo "Installing cliniko-async with its oldest dependencies (once) ..."
	@$(PYTHON) -m venv --clear .venv-lowest
	@$(PYTHON) tools/lowest.py > .venv-lowest/constraints.txt
	@.venv-lowest/bin/python -m pip install -qq --constraint .venv-lowest/constraints.txt --editable ".[test]"
	@touch $@

$(PY): | python
	@$(PYTHON) -m venv --clear $(VENV)

.PHONY: python
python:
	@test -n "$(PYTHON)" || { \
		echo "cliniko-async needs Python 3.11 or newer; none was found on PATH (or say make PYTHON=...)." >&2; exit 1; }

clean:
	@rm -rf .venv .venv-* .cache .coverage .coverage.* .hypothesis build dist htmlcov site
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
