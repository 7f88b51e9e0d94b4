# make demo | test | bench [NAME=…] | proof | lint | format
SHELL := /bin/bash
.PHONY: demo test bench proof lint format release dev

demo: release
	@mkdir -p out && rm -f out/gabor.hartline*
	build/release/engine/cli/hartline compare examples/gabor.toml --out out/gabor.hartline
	@build/release/engine/cli/hartline report out/gabor.hartline --out out/gabor.html | sed 's/^/The report is in /'

release:
	@tools/setup build
	@cmake --preset release > build/configure-release.log 2>&1 || { cat build/configure-release.log; exit 1; }
	@cmake --build --preset release

dev:
	@tools/setup test
	@cmake --preset dev > build/configure-dev.log 2>&1 || { cat build/configure-dev.log; exit 1; }
	@cmake --build --preset dev

test: dev
	@tests/run

bench:
	@tools/setup build bench
	@bench/run $(NAME)

proof: dev
	@tools/setup bench
	@tests/proof/run

lint:
	@tools/check_style.py
	@npm run --silent --prefix web check

format:
	@clang-format-14 -i $$(git ls-files 'engine/*.[ch]pp' 'tests/*.[ch]pp' 'bench/*.[ch]pp' 'studies/*.[ch]pp')

$(shell mkdir -p build)
