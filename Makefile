# The verbs of a working day. `make demo` and `make test` set up all that they need; a second run is quick.
#
#   PYTHON        the interpreter that .venv is made with
#   PYTEST_ARGS   what pytest is told besides, such as PYTEST_ARGS="tests/engine -x"
#   WORKERS       how many processes share the tests, file by file

PYTHON = python3
PYTEST_ARGS =
WORKERS = 2

DEBIAN_TEST_PACKAGES = dovecot-core dovecot-imapd dovecot-lmtpd mariadb-server postgresql redis-server nghttp2-server \
	chromium curl nodejs npm zsh fish groff openjdk-17-jdk-headless

PIP_INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input
DEBIAN = PYTHON='$(PYTHON)' sh tests/peers/debian.sh

# What a tool says is shown when it finds fault, not when it is content.
quietly = @echo "$(1)"; { $(2); } >.venv/step.log 2>&1 || { cat .venv/step.log; exit 1; }

.PHONY: help demo test lint bench docs clean interpreter packages
.NOTPARALLEL:

help:
	@echo "make demo    run the whole thing here: sandbox, engine and a first push, until Ctrl-C"
	@echo "make test    lint, then run every test"
	@echo "make lint    ruff, mypy and the import floors"
	@echo "make bench   measure; prints figures, fails above a limit"
	@echo "make docs    write man pages, completions and the README's table of properties"
	@echo "make clean   remove .venv and everything that was made here"

demo: .venv/demo.stamp
	@.venv/bin/oxpushctl demo

test: packages lint
	@echo "Running the tests"
	@.venv/bin/python -m pytest -q -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

lint: .venv/test.stamp
	$(call quietly,Checking with ruff,.venv/bin/ruff check --quiet && .venv/bin/ruff format --check --quiet --diff)
	$(call quietly,Checking the types with mypy,.venv/bin/mypy)
	$(call quietly,Checking the import floors,.venv/bin/lint-imports --no-logo)

bench: .venv/test.stamp
	@for script in $(filter-out %/__init__.py,$(sort $(wildcard tests/benchmarks/*.py))); do \
		name=$${script##*/}; .venv/bin/python -m tests.benchmarks.$${name%.py} || exit 1; done

docs: .venv/demo.stamp
	@.venv/bin/python -m oxpushctl.cli.written

clean:
	@rm -rf .venv .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	@find oxpushctl tests \( -name __pycache__ -o -name node_modules \) -prune -exec rm -rf {} +

interpreter:
	@test -x .venv/bin/pip || '$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "oxpushctl needs Python 3.11 or newer: name one, as in make demo PYTHON=python3.12" >&2; exit 1; }

packages: interpreter
	@$(DEBIAN) $(if $(wildcard .venv/bin/pip),,python3-venv) $(DEBIAN_TEST_PACKAGES)

# Installed in place: what is changed here runs at once.
.venv/demo.stamp: setup.cfg pyproject.toml | .venv/bin/pip
	@echo "Installing oxpushctl into .venv"
	@$(PIP_INSTALL) --editable '.[fast]'
	@touch $@

.venv/test.stamp: setup.cfg pyproject.toml | .venv/bin/pip
	@echo "Installing oxpushctl and the test tools into .venv"
	@$(PIP_INSTALL) --editable '.[fast,test]'
	@touch $@ .venv/demo.stamp

# pip is the last thing that a new environment gets, so one that was interrupted is made anew.
.venv/bin/pip: | interpreter
	@$(DEBIAN) python3-venv
	@echo "Making .venv"
	@'$(PYTHON)' -m venv --clear .venv
