# Anju 安居. Needs Python 3.11 to 3.14 and make; everything else is installed into .venv from hashed lock files.
#   make demo ARGS=--full      arguments for the command
#   make lock UPGRADE=1        newest versions of everything; without it, only what pyproject.toml makes necessary
#   make test PYTHON=python3.12

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test bench lock clean

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
UV := uv==0.13.9
WAYS := --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

# An activated environment, or a shell's settings for another project, must not reach this one.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(RUNTIME) ## start everything on this machine and show it (Ctrl-C stops it)
	@exec $(BIN)/anju demo $(ARGS)

test: $(DEV) ## style, types, import rules and the whole test suite
	@echo "==> style"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@echo "==> types"
	@$(BIN)/mypy
	@MYPYPATH=benchmarks $(BIN)/mypy --config-file pyproject.toml benchmarks/*.py
	@echo "==> import rules"
	@$(BIN)/lint-imports --no-logo
	@echo "==> tests"
	@$(BIN)/python -m pytest $(or $(ARGS),-n 2 --dist loadfile)

bench: $(DEV) ## every measured comparison in benchmarks/, one after another
	@failed=; \
	for script in benchmarks/[a-z]*.py; do \
		grep -qs __main__ "$$script" || continue; \
		echo "==> $$script"; \
		$(BIN)/python "$$script" $(ARGS) || failed="$$failed $$script"; \
	done; \
	test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

# The lock files name no place to install from, and hashes only of the public files: settings of this machine are kept out.
lock: ## resolve pyproject.toml into the two hashed lock files
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	python=$$($(FIND_PYTHON)) && "$$python" -m venv "$$scratch/venv" && \
	"$$scratch/venv/bin/python" -m pip --quiet --disable-pip-version-check install "$(UV)" && \
	unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_FIND_LINKS UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL && \
	resolve() { \
		lock=$$1; shift; echo "==> $$lock"; \
		if test -e "$$lock"; then cp "$$lock" "$$scratch"; fi; \
		echo hatchling | "$$scratch/venv/bin/uv" --quiet --no-config pip compile $(WAYS) $(if $(UPGRADE),--upgrade) \
			"$$@" --output-file "$$scratch/$$lock" pyproject.toml - > /dev/null && \
		{ echo "# Made by make lock. Change pyproject.toml and run it again."; \
			grep -v -e '^    # .* -c ' -e '^# Made by' "$$scratch/$$lock"; } > "$$lock"; \
	} && \
	resolve requirements-dev.lock --extra dev && resolve requirements.lock --constraint requirements-dev.lock

clean: ## remove the environment, the caches and the demo's data
	@rm -rf $(VENV) .anju build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call install,lock file): the locked packages, then Anju itself where it stands.
define install
@echo "==> packages of $(1) (the first time some minutes)"
@$(PIP) install --require-hashes -r $(1)
@$(PIP) install --no-deps --no-build-isolation --editable .
@$(PIP) check || { echo "$(1) does not satisfy pyproject.toml: run make lock." >&2; exit 1; }
@$(BIN)/python -c "import cv2" || { \
	echo "OpenCV needs libGL and GLib of the system; on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0" >&2; exit 1; }
endef

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	$(call install,requirements.lock)
	@touch $(RUNTIME)

$(DEV): requirements-dev.lock pyproject.toml | $(BIN)/python
	$(call install,requirements-dev.lock)
	@touch $(RUNTIME) $(DEV)

$(BIN)/python:
	@python=$$($(FIND_PYTHON)) && echo "==> $(VENV) with $$("$$python" --version)" && "$$python" -m venv --clear $(VENV)

# Prints the first of the candidates that will do.
define FIND_PYTHON
for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
	if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2> /dev/null; then \
		if "$$candidate" -c 'import ensurepip, venv' 2> /dev/null; then echo "$$candidate"; exit 0; fi; \
		lacking="$$candidate"; \
	fi; \
done; \
if test -n "$$lacking"; then \
	echo "$$lacking lacks its venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; \
else \
	echo "Anju needs Python 3.11, 3.12, 3.13 or 3.14; found none of them. Name one: make PYTHON=/path/to/python3.12" >&2; \
fi; \
exit 1
endef
