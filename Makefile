# `make run` and `make test` need only Python 3.11 or newer and make. Each creates its own .venv and is
# quick the second time. `make help` lists the targets.

PORT ?= 8000
PYTHON ?=
SERVER ?= daphne
SECONDS ?= 300
FAKE_PORT ?= 8900
SEED ?= 1
BIN := .venv/bin
DJADE := $(BIN)/djade --target-version 5.2 $$(find templates -name "*.html")
STATIC := $(shell find static 2>/dev/null)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# For each kind of installation, the two halves of the attacks.
ATTACKS := $(foreach target,daphne uvicorn sqlite,prove-attack-$(target)-findings prove-attack-$(target)-more)

.PHONY: run help stack test test-engine test-doors test-application test-postgresql test-sqlite test-scripts test-pages test-deaths \
	prove prove-postgresql prove-sqlite prove-pages prove-emptied prove-deaths prove-chaos prove-fuzz \
	$(ATTACKS) prove-forms prove-sockets prove-api prove-comply prove-durable prove-aisdk prove-runs prove-gateway prove-litellm prove-llama chaos attack bench fake-providers lint format lock lock-servers upgrade prices configuration clean browser aimock
.DELETE_ON_ERROR:

run: .venv/runtime .env .static/staticfiles.json ## Start Holdfast on 127.0.0.1; PORT=8000
	@exec $(BIN)/python -m tools.run $(PORT)

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

stack: .venv/dev .env .static/staticfiles.json ## Start a production deployment that leaves nothing behind; SERVER=uvicorn
	@exec $(BIN)/python -m tools.stack --server $(SERVER)

# Tests with pages and tests that kill processes mostly wait, and the others mostly compute, so they
# run side by side. The longest come first; the others begin when the first of them have ended. A test
# has a mark `page` or `death` by its folder (tests/plugin.py) or in its file. The foreign project
# has a database of its own, so it runs once.
test: .venv/dev .env .static/staticfiles.json browser aimock ## Run the tests and lint that a change must pass
	@$(MAKE) --no-print-directory --jobs=4 --output-sync=target \
		test-pages test-deaths test-application test-engine test-sqlite test-doors test-scripts lint

ENGINE := tests/streaming tests/providers tests/upgrades
DOORS := tests/doors
DAILY := not page and not death and not prove

test-engine: .venv/dev .env .static/staticfiles.json
	$(BIN)/python -m pytest -m "$(DAILY)" $(ENGINE)

test-doors: .venv/dev .env .static/staticfiles.json
	$(BIN)/python -m pytest -m "$(DAILY)" $(DOORS)

test-application: .venv/dev .env .static/staticfiles.json
	$(BIN)/python -m pytest -m "$(DAILY)" $(patsubst %,--ignore=%,$(ENGINE) $(DOORS))

test-postgresql: test-engine test-doors test-application

test-sqlite: .venv/dev .env .static/staticfiles.json
	TEST_DATABASE=sqlite $(BIN)/python -m pytest tests/accounts tests/chat tests/streaming \
		--ignore=tests/streaming/test_foreign_project.py

test-scripts:
	$(BIN)/python -m pytest -m "page and not prove" tests/js

test-pages:
	$(BIN)/python -m pytest -m "page and not prove" tests/e2e

test-deaths:
	$(BIN)/python -m pytest -m "death and not prove" tests/chaos tests/e2e

# The parts run one after the other, because other work would spoil their figures.
prove: ## Run all tests and print their figures; or one part: prove-postgresql, -sqlite, -pages, -emptied, -deaths, -chaos, -attack-(daphne|uvicorn|sqlite)-(findings|more), -fuzz, -forms, -sockets, -api, -durable, -aisdk, -runs, -gateway, -litellm, -llama
	@for part in lint prove-postgresql prove-sqlite prove-pages prove-emptied prove-deaths prove-chaos prove-fuzz \
		$(ATTACKS) prove-forms prove-sockets prove-api prove-comply prove-durable prove-aisdk prove-runs prove-gateway prove-litellm prove-llama; do \
		$(MAKE) --no-print-directory $$part || exit; \
	done

PROVE := $(BIN)/python -m pytest -s -rA

prove-postgresql: .venv/dev .env .static/staticfiles.json
	$(PROVE) -m "not page and not death" --ignore=tests/fuzz --ignore=tests/servers --ignore=tests/clients

prove-sqlite: .venv/dev .env .static/staticfiles.json
	TEST_DATABASE=sqlite $(PROVE) -m "" tests/accounts tests/chat tests/streaming

prove-pages: .venv/dev .env .static/staticfiles.json browser
	$(PROVE) -m page tests/js tests/e2e --ignore=tests/js/test_emptied.py

prove-emptied: .venv/dev .env .static/staticfiles.json browser
	$(PROVE) -m "" tests/js/test_emptied.py

prove-deaths: .venv/dev .env .static/staticfiles.json browser aimock
	$(PROVE) -m death tests/e2e

prove-chaos: .venv/dev .env .static/staticfiles.json
	$(PROVE) -m "" tests/chaos

# Each attack of tests/chaos/attack_modes takes ten seconds. The findings of earlier tests are one half
# of the modes. After 11 s each process has returned the memory that it does not use.
$(ATTACKS): .venv/dev .env .static/staticfiles.json
	$(BIN)/python -m tests.chaos.attack --seconds 10 --settle 11 --shape own --part $(lastword $(subst -, ,$@)) \
		$(if $(findstring sqlite,$@),--sqlite,--server $(word 3,$(subst -, ,$@)))

prove-fuzz: .venv/dev .env .static/staticfiles.json
	$(PROVE) -m "" tests/fuzz --ignore=tests/fuzz/test_forms.py --ignore=tests/fuzz/test_sockets.py

prove-forms: .venv/dev .env .static/staticfiles.json
	$(PROVE) -m "" tests/fuzz/test_forms.py

prove-sockets: .venv/dev .env .static/staticfiles.json
	$(PROVE) -m "" tests/fuzz/test_sockets.py

# Stock clients have environments of their own, too.
prove-api: .venv/dev .env .static/staticfiles.json
	$(BIN)/python -m tools.install_server schemathesis
	$(PROVE) -m "" tests/clients/test_schemathesis.py

prove-comply: .venv/dev .env .static/staticfiles.json
	$(BIN)/python -m tools.install_server llm-comply
	$(PROVE) -m "" tests/clients/test_llm_comply.py

# The suite of the protocol comes from npm.
prove-durable: .venv/dev .env .static/staticfiles.json
	$(PROVE) -m "" tests/clients/test_durable_streams.py

prove-aisdk: .venv/dev .env .static/staticfiles.json browser
	$(BIN)/python -m tools.install_server ai-sdk
	$(PROVE) -m "" tests/clients/test_ai_sdk.py tests/doors/ai_sdk
	$(PROVE) -m "" tests/clients/test_ai_sdk_example.py

prove-runs: .venv/dev .env .static/staticfiles.json
	$(BIN)/python -m tools.install_server runs
	$(PROVE) -m "" tests/clients/test_runs.py

prove-gateway: .venv/dev .env .static/staticfiles.json
	$(BIN)/python -m tools.install_server gateway
	$(PROVE) -m "" tests/clients/test_gateway_clients.py

# These servers have environments of their own, which the tests create. The first run of llama.cpp's
# compiles it, for some ten minutes.
prove-litellm: .venv/dev .env .static/staticfiles.json
	$(BIN)/python -m tools.install_server litellm
	$(PROVE) -m "" tests/servers/test_litellm.py

prove-llama: .venv/dev .env .static/staticfiles.json
	$(BIN)/python -m tools.install_server llama
	$(PROVE) -m "" tests/servers/test_llama.py

chaos: .venv/dev .env .static/staticfiles.json ## Break a running stack at random and count losses; SECONDS SEED; BREAK=fence|publish-first|no-refill must fail
	@exec $(BIN)/python -m tests.chaos --seconds $(SECONDS) --seed $(SEED) $(if $(BREAK),--break $(BREAK)) --server $(SERVER)

attack: .venv/dev .env .static/staticfiles.json ## Measure what an honest person notices of attackers; SECONDS MODE=H1…H8|mixed SHAPE=own|proxy DATABASE=sqlite
	@exec $(BIN)/python -m tests.chaos.attack $(if $(filter command,$(origin SECONDS)),--seconds $(SECONDS)) \
		$(if $(MODE),--mode $(MODE)) $(if $(SHAPE),--shape $(SHAPE)) $(if $(filter sqlite,$(DATABASE)),--sqlite) \
		--seed $(SEED) --server $(SERVER)

bench: .venv/dev .env .static/staticfiles.json ## Compare the cost of a reply with other projects; ROUNDS PARTS SECONDS STREAMS SUBJECTS WRITE
	@$(BIN)/python -m benchmarks $(if $(PARTS),--parts $(PARTS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(filter command,$(origin SECONDS)),--seconds $(SECONDS)) $(if $(STREAMS),--streams $(STREAMS)) \
		$(if $(SUBJECTS),--subjects $(SUBJECTS)) $(if $(WRITE),--write)

fake-providers: .venv/dev ## Start fakes of all providers, which fail on demand; FAKE_PORT
	@exec $(BIN)/python -m tools.fake_provider --explain --delay 0.05 --port $(FAKE_PORT)

lint: .venv/dev .env ## Check style, spelling, types, imports, dependencies, names and migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(DJADE) --check
	$(BIN)/python -m tools.biome check
	$(BIN)/typos
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive accounts chat config streaming tools manage.py
	$(BIN)/deptry accounts chat config streaming
	$(BIN)/deptry streaming --config streaming/pyproject.toml # the engine's wheel
	$(BIN)/deptry benchmarks tests tools --ignore DEP002,DEP004 # development dependencies are fine here
	$(BIN)/python -m tools.check_names
	$(BIN)/python -m tools.check_structure
	$(BIN)/python -m tools.check_words
	$(BIN)/python manage.py makemigrations --check --dry-run

format: .venv/dev ## Format Python, templates, scripts and style sheets
	$(BIN)/ruff format .
	$(DJADE) || true # it fails if it changed a file
	$(BIN)/python -m tools.biome format

browser: .venv/dev
	@$(BIN)/python -m tools.browser

aimock: .venv/dev
	@$(BIN)/python -m tools.aimock

lock: .venv/dev ## Bring the lock files in line with pyproject.toml
	$(BIN)/python -m tools.lock

upgrade: .venv/dev ## Lock the newest releases that pyproject.toml allows
	$(BIN)/python -m tools.lock --upgrade

lock-servers: .venv/dev ## Lock the packages of other servers that are tested, tests/servers/*.in
	$(BIN)/python -m tools.lock_environment

prices: .venv/dev ## Write prices and context windows from the pinned genai-prices
	$(BIN)/python -m tools.prices

configuration: .venv/dev ## Write docs/configuration.md, .env.example and the table in streaming/README.md
	$(BIN)/python -m tools.configuration

clean: ## Remove what was built; .env and the database stay
	rm -rf .venv .gateway-clients .langgraph .litellm .llama .static .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@for python in $(PYTHON) python3.11 python3 python3.12 python3.13 python3.14 python; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		$$python -m venv .venv && exit 0; \
		rm -rf .venv; \
		echo "$$python makes no virtual environments. On Debian: apt-get install python3-venv" >&2; \
		exit 1; \
	done; \
	echo "Holdfast needs Python 3.11 or newer; none is on the PATH as python3.11 or python3." >&2; \
	exit 1

# A lock names all packages. Without --no-deps pip would also resolve, and fail at a package that is
# required with an extra and has a newer release, because the lock has no hash for that release.
INSTALL = $(PIP) install --no-deps --require-hashes -r $< && $(PIP) check >/dev/null

.venv/runtime: requirements.lock | .venv/bin/python
	@echo "Installing Holdfast's libraries (once)"
	@$(INSTALL)
	@touch $@

# The development lock contains the runtime lock, so `make run` need not install again.
.venv/dev: requirements-dev.lock requirements.lock | .venv/bin/python
	@echo "Installing Holdfast's libraries and tools (once)"
	@$(INSTALL)
	@touch $@ .venv/runtime

.static/staticfiles.json: $(STATIC) .venv/runtime .env
	@$(BIN)/python manage.py collectstatic --noinput --verbosity 0
	@touch $@

.env: | .venv/bin/python
	@$(BIN)/python -m tools.secrets_file $@
