# voxterm: `make` prints what there is. Nothing here needs root, but root saves you the apt commands.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run install test check lock clean
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
MADE := $(VENV)/made
INSTALLED := $(VENV)/installed
INSTALLED_DEV := $(VENV)/installed-dev
WANTED := pyproject.toml requirements.lock
TEST_PACKAGES := libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins tmux openssh-client openssh-server
PURE_FILES := turns endpointing sentences latency history

help: ## print this
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)
	@echo '  ARGS="…" goes to voxterm (run) or to pytest (test): make run ARGS="talk --profile embedded"'

run: $(INSTALLED) ## install what is missing, then talk (without a terminal: the demo)
	@$(if $(ARGS),exec $(BIN)/voxterm $(ARGS),$(RUN))

install: $(INSTALLED) ## make .venv with voxterm in it, and the system's PortAudio

test: $(INSTALLED_DEV) ## run all tests and hold the coverage bounds
	@packages='$(TEST_PACKAGES)'; $(APT)
	$(BIN)/python -m pytest -ra --cov=voxterm --cov-report=term --cov-fail-under=85 $(ARGS)
	@failed=0; for file in $(PURE_FILES); do \
		$(BIN)/coverage report --precision=1 --fail-under=95 --include=voxterm/$$file.py || failed=1; \
	done; exit $$failed

check: $(INSTALLED_DEV) ## lint, format, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: | $(MADE) ## write requirements.lock anew for all Pythons, changing only what has to change
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.10 --all-extras \
		--no-emit-index-url --custom-compile-command 'make lock' --output-file requirements.lock

clean: ## remove what make, tests and builds left
	rm -rf $(VENV) build dist htmlcov .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache snapshot_report.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Sets $python to the best Python there is.
FIND_PYTHON = python=; for name in python3 python3.13 python3.12 python3.11 python3.10; do \
	if $$name -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	then python=$$name; break; fi; done; \
	if [ -z "$$python" ]; then echo 'voxterm needs Python 3.10, 3.11, 3.12 or 3.13, and found none' >&2; exit 1; fi

# Installs those of $packages that are missing, or prints the command. Never fails: what cannot be had is
# reported by the program, and its tests are skipped with a reason.
APT = if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then missing=; \
	for package in $$packages; do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	apt="env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends$$missing"; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && { $$apt >/dev/null 2>&1 || { apt-get update -qq && $$apt; }; }; then :; \
	else echo "Not installed yet; type: sudo apt-get install$$missing"; fi; fi

# Without a terminal there is nobody to talk with.
RUN = if [ -t 0 ] && [ -t 1 ]; then exec $(BIN)/voxterm; else exec $(BIN)/voxterm demo; fi

$(MADE):
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { $(FIND_PYTHON); \
		$$python -c 'import ensurepip' 2>/dev/null || { packages=$$python-venv; $(APT); }; \
		echo "$$python -m venv $(VENV)"; $$python -m venv --clear $(VENV); }
	@touch $@

$(INSTALLED): $(WANTED) | $(MADE)
	@extras=; if nvidia-smi >/dev/null 2>&1; then extras='[models]'; fi; \
	$(BIN)/python -m pip install --disable-pip-version-check -c requirements.lock -e ".$$extras"
	@$(BIN)/python -c 'import ctypes.util as u, sys; sys.exit(not u.find_library("portaudio"))' \
		|| { packages=libportaudio2; $(APT); }
	@touch $@

$(INSTALLED_DEV): $(WANTED) $(INSTALLED)
	$(BIN)/python -m pip install --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $@
