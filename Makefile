# `make help` lists the commands. Each sets up what it needs, and is quick the second time.
.DELETE_ON_ERROR:
.PHONY: help demo test fuzz release check-release lint bench clean sandbox browser

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

help:            ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

demo: $(VENV)/installed sandbox   ## grade a made-up class in the sandbox, and show what came out
	@echo "make demo: building the release of 2_conv_layers, then grading a made-up class in build/demo"
	@$(BIN)/autograder release 2_conv_layers
	@$(BIN)/python -m autograder.demo build/demo

# These grade with as many workers as there are cores, watch all that runs on the machine, or measure
# time: one at a time. All other files of tests share two processes, each file in one of them.
ALONE := tests/hostile $(patsubst %,tests/autograder/test_%.py, \
  class cli cohort misconceptions_in_the_sandbox speed workers)

test: $(VENV)/installed-for-tests sandbox browser   ## run every test
	@echo "make test: every test of the kit (about 35 minutes on 2 cores)"
	@$(BIN)/autograder release --check
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ALONE:%=--ignore=%)
	@$(BIN)/python -m pytest $(ALONE)

fuzz: $(VENV)/installed-for-tests sandbox   ## the long runs: fuzzers, the whole corpus by nbgrader too, kill -9 (an hour)
	@$(BIN)/python tests/hostile/fuzz_notebooks.py --count 2000 --workers 2
	@$(BIN)/python tests/hostile/fuzz_results.py --count 4000
	@$(BIN)/python tests/hostile/fuzz_messages.py --count 300
	@$(BIN)/python tests/hostile/kill_nine.py --moments 20 --students 30
	@HOSTILE=all $(BIN)/python -m pytest tests/hostile

release: $(VENV)/installed   ## build starter/ and solutions/ from the sources
	@$(BIN)/autograder release

check-release: $(VENV)/installed sandbox   ## fail if what is committed is stale, or leaks an answer
	@$(BIN)/autograder release --check

lint: $(VENV)/installed-for-tests   ## ruff: style and likely mistakes
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

bench: $(VENV)/installed-for-tests sandbox   ## print the tables of benchmarks/
	@set -e; for file in benchmarks/bench_*.py; do $(BIN)/python $$file; done

clean:           ## remove everything that the other commands made
	rm -rf $(VENV) build *.egg-info starter/*.egg-info .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here. Install Python 3.11" \
	  "or later, or name yours: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "This project needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version)." \
	       "Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "No virtual environment could be made. On Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/installed: $(VENV)/bin/python pyproject.toml starter/pyproject.toml constraints.txt
	@echo "setting up $(VENV): installing the pinned packages (once; about a minute)"
	@$(PIP) -e ./starter -e .
	@touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	@echo "setting up $(VENV) for the tests: torch, numba, SciPy, hypothesis, ruff (once)"
	@$(PIP) -e ./starter -e '.[test]'
	@touch $@

# bubblewrap locks the students' code in. It comes from the system's packages.
sandbox:
	@command -v bwrap >/dev/null || { \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "installing bubblewrap with apt-get"; \
	    (apt-get install -y -qq bubblewrap || { apt-get update -qq && apt-get install -y -qq bubblewrap; }) >/dev/null 2>&1; \
	  fi; }
	@command -v bwrap >/dev/null || { \
	  echo "bubblewrap is missing, which locks the students' code in. Install it, then run this again:"; \
	  echo "    Debian, Ubuntu:  sudo apt-get install bubblewrap"; \
	  echo "    Fedora:          sudo dnf install bubblewrap"; \
	  echo "    Arch:            sudo pacman -S bubblewrap"; exit 1; }

CHROMIUM := { command -v chromium || command -v chromium-browser || command -v google-chrome; }
# The tests of the pages open them in Chromium. Without one they are skipped, and the rest runs.
browser:
	@$(CHROMIUM) >/dev/null || { \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "installing chromium with apt-get"; \
	    (apt-get install -y -qq chromium || { apt-get update -qq && apt-get install -y -qq chromium; }) >/dev/null 2>&1; \
	  fi; }
	@$(CHROMIUM) >/dev/null || \
	  echo "There is no chromium here: the tests of the pages are skipped (sudo apt-get install chromium)"
