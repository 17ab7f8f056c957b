# The verbs. Each sets up what it needs; a second call takes seconds.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .venv-peers
PROTOS = $(shell cd protos && find . -name '*.proto' | sed 's|^\./||' | sort)
ARGS ?=
# These measure time and memory, which tracing changes.
MEASURING := tests/testing/test_many_seeds.py::test_a_thousand_seeds_keep_the_promises \
    tests/integration/test_bad_input.py::test_ten_thousand_failing_requests_leave_nothing_behind
PURE := agentbus/errors.py,agentbus/faults.py,agentbus/awards.py,agentbus/decisions.py,agentbus/negotiation.py,agentbus/audiences.py,agentbus/contracts.py,agentbus/deals.py,agentbus/policies.py,agentbus/proposals.py,agentbus/subjects.py,agentbus/messages.py,agentbus/peers.py,agentbus/supervision.py,agentbus/statistics.py,agentbus/behaviors.py,agentbus/specs.py,agentbus/coalescing.py,agentbus/mailbox.py,agentbus/inbound.py,agentbus/discovery.py
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo heal test check bench proto docs format pins coverage clean

demo: $(READY)  ## the main job: agents in several processes watch the Shuttle's telemetry
	$(BIN)/python -m examples.shuttle $(ARGS)

heal: $(READY)  ## the network that repairs itself: twelve agents, three brokers, six kinds of faults
	$(BIN)/python -m examples.selfhealing $(ARGS)

test: $(READY)  ## the whole test suite, a real nats-server included
	$(BIN)/python -m pytest $(ARGS)

coverage: $(READY)  ## the test suite with coverage, of child processes too
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --timeout 180 $(foreach test,$(MEASURING),--deselect $(test)) $(ARGS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report
	$(BIN)/coverage report --fail-under=98 --include='$(PURE)'

check: $(READY)  ## style, types, architecture, generated code, protos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python tests/check_generated.py
	cd protos && ../$(BIN)/buf lint

bench: $(READY) $(PEERS)/.ready  ## every comparison: a table, JSON and a plot in bench/results/
	$(BIN)/python -m bench $(ARGS)

proto: $(READY)  ## generated code from protos/
	$(BIN)/protoc -I protos --python_out=. --pyi_out=. $(PROTOS)

docs: $(READY)  ## runs every code block of README and docs/
	$(BIN)/python -m pytest tests/docs $(ARGS)

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pins:  ## newest versions that fit, with hashes, into constraints.txt (needs uv)
	uv pip compile pyproject.toml --extra dev --extra proto --universal --python-version 3.11 --upgrade \
	    --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links -q -o constraints.txt

$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "agentbus needs Python 3.11 or newer: $$($(PYTHON) --version) is what '$(PYTHON)' is; make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r constraints.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(PEERS)/.ready: pyproject.toml
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet -e '.[bench-peers]'
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) bench/results
