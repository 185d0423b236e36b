# Fieldline: `make demo` sets up everything and runs the simulated county; `make test` the tests, in
# WORKERS processes: tests wait as much as they reckon, so three keep two cores busy. A worker that
# dies is a failure and is not replaced: pytest-xdist 3.8 then waits for ever at the end.
PYTHON ?= python3
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
READY := .venv-ready
export PYTHONHASHSEED := 0
# Compiled modules are kept, though the environment says otherwise: half of what a job costs is imports.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo desk test lint wheel wheel-demo bench mutants lock clean

$(READY): requirements.lock pyproject.toml desk/app/package-lock.json
	@command -v $(PYTHON) >/dev/null || { echo "Fieldline needs Python 3.11: install it or set PYTHON=..."; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --editable .
	$(BIN)/python -m fieldline.desk.app.scripts --optional --dev
	touch $@

demo: $(READY)
	$(BIN)/fieldline demo

desk: $(READY)
	$(BIN)/fieldline desk

test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflows/Snakefile workflows/rules
	$(BIN)/snakemake --lint

wheel: $(READY)
	rm -rf build dist
	$(BIN)/python -m build --outdir dist .

wheel-demo: $(READY)
	PYTHON=$(PYTHON) .ci/wheel-demo

bench: $(READY)
	$(BIN)/python -m tests.benchmarks.observe

# Every small defect planted in the rules that decide; SAMPLE=150 tries so many of them instead.
mutants: $(READY)
	$(BIN)/python -m tests.mutants $(if $(SAMPLE),--sample $(SAMPLE),--all)

# Known vulnerabilities of the locked dependencies; asks PyPI.
audit: $(READY)
	PYTHON=$(BIN)/python .ci/audit

lock:
	$(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --all-extras pyproject.toml -o requirements.lock

clean:
	rm -rf results .snakemake build dist .mypy_cache .ruff_cache .pytest_cache
