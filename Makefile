# `make run` and `make test` need nothing before them but Python 3.11 or newer. Node checks the widget's
# JavaScript (tests/widget); neither the product nor `make run` has a use for it.

PORT ?= 8000
BIN := .venv/bin
NODE_MODULES := tests/widget/node_modules/.package-lock.json
export PORT

# The first Python that is new enough. A version manager's shim may be there and still not run.
define find_python
	@for python in "$(PYTHON)" $(BIN)/python python3.13 python3.12 python3.11 python3 python; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec "$$python" scripts/setup.py $(1); \
		fi; \
	done; \
	echo "This needs Python 3.11 or newer, and found none. Install one (https://www.python.org/downloads/)," >&2; \
	echo "or say where it is: make $@ PYTHON=/path/to/python3.12" >&2; \
	exit 1
endef

# Most of a test is waiting; all of a file run in one process, which share its servers.
SPREAD := -n 2 --dist loadfile
# Beside another on two slow cores a test can miss a moment; what fails twice is a failure.
define twice
	@$(1) $(SPREAD) $(ARGS) || { echo "What failed is tried once more, one after another:"; \
		$(1) --last-failed --last-failed-no-failures none $(ARGS); }
endef

.PHONY: help install install-dev run tools node test test-postgres extras faults stalls soak lint format lock messages pictures bench clean

help:
	@echo "make run     sets up what is missing, makes a demo and serves it on http://localhost:$(PORT)/"
	@echo "make test    runs all tests, and says what it lacks"
	@echo "make test-postgres  the tests of its own process once more, on PostgreSQL"
	@echo "make extras  tries the voice on this machine and the service's SDK, in environments of their own"
	@echo "make faults  breaks servers, Redis, PostgreSQL and the model's server, at every moment of a talk"
	@echo "make stalls  runs the browser's tests while browsers and servers stand still now and then"
	@echo "make soak    50 chats for MINUTES=20, and EXAMPLES=10000 of the protocol's state machine"
	@echo "make lint    formatting, types (Python's and JavaScript's), migrations, translations"
	@echo "make format  formats the code"
	@echo "make lock    makes both requirements files again from pyproject.toml"
	@echo "make messages  collects texts to translate and compiles the translations (needs gettext)"
	@echo "make pictures  makes the pictures of the README and the landing page again (needs Chromium)"
	@echo "make bench   measures what one core carries (ARGS=--quick takes a few minutes)"
	@echo "make clean   removes what was made, but no database and no .env"

install:
	$(call find_python,requirements.txt)

install-dev:
	$(call find_python,requirements-dev.txt)

run:
	$(call find_python,--serve requirements.txt)

tools: install-dev
	@$(BIN)/python scripts/tools.py chromium postgresql redis-server gettext nodejs npm

node: install-dev
	@$(BIN)/python scripts/tools.py nodejs npm

# As pinned, and nothing it brings along is run.
$(NODE_MODULES): tests/widget/package-lock.json | node
	npm --prefix tests/widget ci --ignore-scripts --no-audit --no-fund

# Two calls: playwright's event loop and that of the other tests do not share a process. Of the
# matrix of faults one case a fault.
test: install-dev $(NODE_MODULES)
	@$(BIN)/python scripts/tools.py chromium postgresql redis-server nodejs
	node --test --test-reporter=spec tests/widget/*.test.js
	$(call twice,$(BIN)/python -m pytest tests --ignore tests/browser -m "not matrix and not extras")
	$(call twice,CHROMIUM="$$($(BIN)/python scripts/tools.py --where chromium)" $(BIN)/python -m pytest tests/browser)

test-postgres: install-dev
	@$(BIN)/python scripts/tools.py postgresql
	$(call twice,$(BIN)/python scripts/on_postgres.py $(BIN)/python -m pytest tests --ignore tests/browser \
		-m "not process and not matrix and not extras")

# The voice on this machine, in Chromium too, and the service's own SDK against our stand-in of it: in
# environments of their own, which take some minutes and a gigabyte to make.
extras: install-dev
	@$(BIN)/python scripts/tools.py chromium espeak-ng
	CHROMIUM="$$($(BIN)/python scripts/tools.py --where chromium)" $(BIN)/python -m pytest tests/extras $(ARGS)

faults: install-dev
	@$(BIN)/python scripts/tools.py postgresql redis-server
	$(BIN)/python -m pytest tests/faults $(ARGS)

stalls: install-dev
	@$(BIN)/python scripts/tools.py chromium
	CHROMIUM="$$($(BIN)/python scripts/tools.py --where chromium)" $(BIN)/python scripts/stalls.py $(BIN)/python -m pytest tests/browser $(ARGS)

MINUTES ?= 20
EXAMPLES ?= 10000
soak: install-dev
	@$(BIN)/python scripts/tools.py postgresql redis-server
	EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/test_protocol_machine.py $(ARGS)
	$(BIN)/python -m tests.faults.soak --minutes $(MINUTES)

lint: install-dev $(NODE_MODULES)
	@$(BIN)/python scripts/tools.py gettext
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	tests/widget/node_modules/.bin/tsc --project .
	$(BIN)/python manage.py check
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python scripts/translations.py

format: install-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

messages: install-dev
	@$(BIN)/python scripts/tools.py gettext
	$(BIN)/python manage.py makemessages --all --no-obsolete --ignore '.venv' --ignore tests
	$(BIN)/python manage.py compilemessages --ignore '.venv'

pictures: install-dev
	@$(BIN)/python scripts/tools.py chromium
	$(BIN)/python scripts/pictures.py

bench: install-dev
	@$(BIN)/python scripts/tools.py postgresql redis-server
	$(BIN)/python -m bench $(ARGS)

UV = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--fork-strategy fewest --no-emit-index-url --no-emit-find-links --no-annotate --no-header

lock: install-dev
	@$(BIN)/python -c 'import uv' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) --output-file requirements.txt
	$(UV) --extra dev --output-file requirements-dev.txt

clean:
	rm -rf .venv staticfiles tests/widget/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis test-results
