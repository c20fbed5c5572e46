# Two targets are for everybody: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
# Wheels are kept here, so that a second clone installs without the network.
WHEELS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/confluent-api-keys-exporter/wheels

.DEFAULT_GOAL := help
.PHONY: help demo test quick lowest check soak bench format docs monitoring pictures lock image release clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

demo: .venv/.runtime ## serve the exporter over a simulated Confluent Cloud, no credentials needed
	@$(BIN)/python -m exporter demo $(ARGS)

# Run the commands $(2); print how long they took and $(1), the seconds that they may take on two cores.
define timed
began=$$(date +%s); { $(2); }; code=$$?; \
echo "make $@: $$(( $$(date +%s) - began )) s (goal: $(1) s)"; exit $$code
endef

# One more than the cores, because some tests wait for other programs.
WORKERS = $$(( $$(getconf _NPROCESSORS_ONLN) + 1 ))

# Otherwise, each worker and each program compiles all modules again.
test quick lowest: export PYTHONDONTWRITEBYTECODE :=

test: .venv/.dev ## run all tests and print the coverage
	@rm -f .coverage .coverage.*
	@$(call timed,240,$(BIN)/python -m coverage run -m pytest --numprocesses=$(WORKERS) --dist=loadgroup $(ARGS) \
	  && $(BIN)/python -m coverage combine --quiet && $(BIN)/python -m coverage report)

quick: .venv/.dev ## run the tests without sockets and other programs
	@$(call timed,60,$(BIN)/python -m pytest --quiet --numprocesses=auto -m "not integration" $(ARGS))

# What uses the libraries directly. The long property tests and most processes run with `make test` alone.
LOWEST_TESTS := tests/config tests/confluent tests/exposition tests/inventory tests/refresh tests/web \
  tests/faults/test_echo.py tests/faults/test_matrix.py tests/cli/test_report.py \
  tests/cli/test_report_command.py tests/cli/test_report_table.py

lowest: .venv-lowest/.ready ## run a part of the tests with the lowest versions that pyproject.toml allows
	@.venv-lowest/bin/python -m pytest --quiet --numprocesses=auto $(LOWEST_TESTS) $(ARGS)

check: .venv/.dev ## lint, formatting, types, spelling and prose
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m codespell_lib
	@$(BIN)/python -m tests.prose

soak: .venv/.dev ## run the real process for minutes under every fault, and measure it
	@$(BIN)/python -m tests.soak $(ARGS)

bench: .venv/.dev ## run the benchmarks and print their table
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only=$(ONLY)) $(ARGS)

format: .venv/.dev ## write the formatting and the lint's safe fixes
	@$(BIN)/python -m ruff format .
	@$(BIN)/python -m ruff check --fix .

docs: .venv/.dev ## write docs/metrics.md and docs/chart-values.md
	@$(BIN)/python -m exporter.exposition.metrics_page > docs/metrics.md
	@$(BIN)/python -m monitoring.values_page > docs/chart-values.md

monitoring: .venv/.dev ## generate the dashboards, the PrometheusRule and the alerts in the chart's schema
	@$(BIN)/python -m monitoring

pictures: .venv/.dev ## draw the pictures of the documentation (needs Prometheus, Chromium, npm, pngquant)
	@$(BIN)/python -m monitoring.pictures $(ARGS)

lock: ## regenerate requirements/*.txt from the ranges
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && $(PYTHON) -m venv "$$tools" && \
	"$$tools/bin/python" -m pip install --quiet uv && \
	compile() { "$$tools/bin/python" -m uv pip compile --quiet --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate "$$@"; } && \
	compile -o requirements/runtime.txt pyproject.toml && \
	compile -o requirements/build.txt requirements/build.in && \
	compile -o requirements/dev.txt requirements/dev.in && \
	compile -o requirements/lowest.txt --resolution lowest-direct pyproject.toml requirements/test.in

image: BUILDER ?= $(shell docker info >/dev/null 2>&1 && echo docker || command -v buildah || echo docker)
image: ## build the container image with docker or buildah
	@BUILDAH_FORMAT=docker $(BUILDER) build -t confluent-api-keys-exporter \
	  --build-arg VERSION="$$(sed -n 's/^__version__ = "\(.*\)"$$/\1/p' exporter/version.py)" \
	  --build-arg REVISION="$$(git describe --always --abbrev=40 --dirty --exclude='*' 2>/dev/null || echo unknown)" \
	  $(ARGS) .

release: .venv/.dev ## build the artefacts of a release into dist/
	@$(BIN)/python -m release $(ARGS)

clean: ## remove what the other targets made
	@rm -rf .venv .venv-lowest build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

# From the kept wheels where they suffice, else from the package index, which fills them.
.venv/.%: requirements/%.txt | .venv/bin/python
	@echo "Setting up .venv from requirements/$*.txt" >&2
	@install() { $(BIN)/python -m pip install --quiet --require-hashes --no-index --find-links "$(WHEELS)" -r requirements/$*.txt; }; \
	 mkdir -p "$(WHEELS)"; install 2>/dev/null || { \
	   $(BIN)/python -m pip download --quiet --require-hashes --dest "$(WHEELS)" -r requirements/$*.txt && install; }
	@touch $@

.venv-lowest/.ready: requirements/lowest.txt
	@echo "Setting up .venv-lowest from requirements/lowest.txt" >&2
	@rm -rf .venv-lowest && $(PYTHON) -m venv .venv-lowest
	@.venv-lowest/bin/python -m pip install --quiet --require-hashes -r requirements/lowest.txt
	@touch $@
