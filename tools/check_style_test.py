#!/usr/bin/env python3
"""Tests of tools/check_style.py: small trees with one offence each, which must be found, and a clean one, which must pass."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import check_style  # noqa: E402

CLEAN = {
    "engine/base/error.hpp": "// Errors: what went wrong.\n#pragma once\n\n#include <string>\n\nnamespace hartline {\n"
                             "struct Error {\n  std::string text;\n};\n}  // namespace hartline\n",
    "engine/models/model.hpp": '// Model: an encoding model.\n#pragma once\n\n#include "base/error.hpp"\n\n'
                               "/// Accuracy: 1e-8    (models_test.cpp: Model.LearnsFromTrials)\n"
                               "/// Order: 2    (tests/laws/fork_test.cpp)\nclass Model {};\n",
    "engine/models/models_test.cpp": '#include "models/model.hpp"\n\n#include <gtest/gtest.h>\n\nTEST(Model, LearnsFromTrials) {}\n',
    "engine/io/record.cpp": '#include "base/error.hpp"\n\n#include <sqlite3.h>\n\nint grand(int rank) { return rank; }\n',
    "tests/laws/fork_test.cpp": "#include <sqlite3.h>\n\nTEST(Fork, EqualsNoFork) {}\n",
    "Makefile": "all:\n\tcmake --build build\n",
    "README.md": "# Hartline\n\nThe common case; a recording session; -march=native is never used.\n",
}


def write_tree(root: Path, files: dict[str, str]) -> None:
    """Writes the files into a new git repository at root."""
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def findings_of(files: dict[str, str]) -> list[str]:
    """What the check says of the clean tree with these files added or replaced."""
    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder), CLEAN | files)
        return [str(finding) for finding in check_style.check(Path(folder))]


class CleanTree(unittest.TestCase):
    def test_has_no_findings(self) -> None:
        self.assertEqual(findings_of({}), [])

    def test_program_exits_with_zero_and_with_one(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_tree(Path(folder), CLEAN)
            program = [sys.executable, str(Path(__file__).with_name("check_style.py")), folder]
            self.assertEqual(subprocess.run(program, capture_output=True).returncode, 0)
            (Path(folder) / "notes.md").write_text("no newline")
            failed = subprocess.run(program, capture_output=True, text=True)
            self.assertEqual((failed.returncode, failed.stdout), (1, "notes.md:1: file must end with a newline. Add it.\n"))

    def test_ignored_files_are_not_read(self) -> None:
        self.assertEqual(findings_of({".gitignore": "/build/\n", "build/util.md": "TODO \n"}), [])


class Offences(unittest.TestCase):
    """Each tree has one offence and must give exactly one finding, which says what is named here."""

    def expect(self, path: str, text: str, place: str, says: str) -> None:
        found = findings_of({path: text})
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{place}: "), found[0])
        self.assertIn(says, found[0])

    def header(self, body: str) -> str:
        return "// A header.\n#pragma once\n" + body

    def source(self, line: str) -> str:
        return f"int a;\n{line}\n"

    def test_include_against_the_layers(self) -> None:
        self.expect("engine/base/value.hpp", self.header('#include "models/model.hpp"\n'), "engine/base/value.hpp:3", "not built on models")

    def test_models_that_see_the_simulated_truth(self) -> None:
        self.expect("engine/models/glm.cpp", '#include "dynamics/state.hpp"\n', "engine/models/glm.cpp:1", "not built on dynamics")

    def test_instruments_seen_by_design(self) -> None:
        self.expect("engine/design/pool.cpp", '#include "instruments/sensor.hpp"\n', "engine/design/pool.cpp:1", "not built on instruments")

    def test_siblings(self) -> None:
        self.expect("engine/cable/cell.cpp", '#include "nef/ensemble.hpp"\n', "engine/cable/cell.cpp:1", "not built on nef")

    def test_include_beside_the_file(self) -> None:
        self.expect("engine/models/glm.cpp", '#include "model.hpp"\n', "engine/models/glm.cpp:1", '"module/file.hpp"')

    def test_own_header_in_angle_brackets(self) -> None:
        self.expect("engine/models/glm.cpp", "#include <base/error.hpp>\n", "engine/models/glm.cpp:1", "double quotes")

    def test_unknown_module(self) -> None:
        self.expect("engine/extra/a.cpp", "int a;\n", "engine/extra/a.cpp:1", "module must be one of")

    def test_headers_of_others_outside_their_module(self) -> None:
        for module, header in (("loop", "toml++/toml.h"), ("loop", "sqlite3.h"), ("design", "tbb/task_arena.h"), ("loop", "CLI/CLI.hpp"),
                               ("base", "nlohmann/json.hpp"), ("loop", "boost/beast/http.hpp"), ("models", "nanobind/nanobind.h")):
            with self.subTest(header):
                self.expect(f"engine/{module}/a.cpp", f"#include <{header}>\n", f"engine/{module}/a.cpp:1", "must be included by")

    def test_named_test_file_that_is_missing(self) -> None:
        for named in ("gone_test.cpp", "tests/laws/gone_test.cpp", "tests/analytic/gone.cpp"):
            with self.subTest(named):
                self.expect("engine/base/a.hpp", self.header(f"/// Order: 2    ({named})\n"), "engine/base/a.hpp:3", "test file must exist")

    def test_named_test_that_is_missing(self) -> None:
        body = "/// Order: 2    (models_test.cpp: Model.ForgetsTrials)\n"
        self.expect("engine/models/a.hpp", self.header(body), "engine/models/a.hpp:3", "must exist in engine/models/models_test.cpp")
        body = "/// Order: 2    (models_test.cpp:\n///   Model.ForgetsTrials)\n"
        self.expect("engine/models/a.hpp", self.header(body), "engine/models/a.hpp:3", "got Model.ForgetsTrials")

    def test_forbidden_names(self) -> None:
        for path in ("engine/base/string_utils.cpp", "engine/base/helper.cpp", "docs/misc/a.md", "web/src/common.ts", "tests/manager.cpp"):
            with self.subTest(path):
                self.expect(path, "a\n", f"{path}:1", "name must say")

    def test_forbidden_words(self) -> None:
        for line in ("// TODO: more", "// FIXME", "// XXX", "// HACK", "// not implemented", "// a placeholder", "// fine for now",
                     "// see issue #12", "// Issue 7", "// in the previous session", "// /home/ann/data"):
            with self.subTest(line):
                self.expect("engine/base/a.cpp", self.source(line), "engine/base/a.cpp:2", "must be free of")

    def test_hidden_randomness_and_namespace_std(self) -> None:
        for line in ("std::random_device device;", "int b = rand();", "int b = std::rand();", "srand(3);", "long t = time(nullptr);",
                     "using namespace std;"):
            with self.subTest(line):
                self.expect("engine/base/a.cpp", self.source(line), "engine/base/a.cpp:2", "must be free of")
        self.expect("tools/draw.py", "import numpy as np\nnp.random.seed(1)\n", "tools/draw.py:2", "default_rng")

    def test_flags_that_change_results(self) -> None:
        self.expect("CMakeLists.txt", "add_compile_options(-march=native)\n", "CMakeLists.txt:1", "-march=native")
        self.expect("bench/CMakeLists.txt", "add_compile_options(-ffast-math)\n", "bench/CMakeLists.txt:1", "-ffast-math")

    def test_long_files(self) -> None:
        for path in ("engine/base/a.cpp", "web/src/a.ts", "tools/a.py"):
            with self.subTest(path):
                self.expect(path, "a\n" * 501, f"{path}:501", "at most 500 lines (got 501)")

    def test_large_files(self) -> None:
        self.expect("docs/a.csv", "1,2\n" * 250_001, "docs/a.csv:1", "at most 1000000 bytes")

    def test_types_not_in_camel_case(self) -> None:
        for line in ("struct my_type {", "class model_base : public Model {", "enum class kind { a };", "using row_type = int;"):
            with self.subTest(line):
                self.expect("engine/base/a.cpp", self.source(line), "engine/base/a.cpp:2", "CamelCase")

    def test_test_names_that_are_no_sentences(self) -> None:
        for name in ("Works", "works_well", "learnsWell"):
            with self.subTest(name):
                self.expect("engine/base/a_test.cpp", f"TEST(A, {name}) {{}}\n", "engine/base/a_test.cpp:1", "sentence")

    def test_header_without_pragma_once(self) -> None:
        self.expect("engine/base/a.hpp", "// A.\nint a();\n", "engine/base/a.hpp:1", "#pragma once")

    def test_header_without_first_comment(self) -> None:
        self.expect("engine/base/a.hpp", "#pragma once\n// A.\n", "engine/base/a.hpp:1", "begin with a comment")

    def test_plain_form(self) -> None:
        for line, says in (("\tint b;", "tabs"), ("int b; ", "blanks"), ("// " + "a" * 138, "140 characters (got 141)")):
            with self.subTest(says):
                self.expect("engine/base/a.cpp", self.source(line), "engine/base/a.cpp:2", says)
        self.expect("engine/base/a.cpp", "int a;", "engine/base/a.cpp:1", "newline")


class Permitted(unittest.TestCase):
    """What looks like an offence and is none."""

    def test_words_inside_comments_and_literals_are_not_code(self) -> None:
        text = '// struct my_type {\nconst char* text = "class my_type {";\nconst long big = 1\'000\'000;\n'
        self.assertEqual(findings_of({"engine/base/a.cpp": text}), [])

    def test_forward_declarations_and_names_of_std(self) -> None:
        self.assertEqual(findings_of({"engine/io/a.cpp": "struct sqlite3;\nusing value_type = double;\nstd::tm now;\n"}), [])

    def test_torch_code_counts_to_the_folder_beside_it(self) -> None:
        self.assertEqual(findings_of({"engine/models_torch/net.cpp": '#include "models/model.hpp"\n#include <torch/torch.h>\n'}), [])

    def test_placeholder_of_a_form_field(self) -> None:
        self.assertEqual(findings_of({"web/src/a.html": '<input placeholder="seed">\n<style>input::placeholder {}</style>\n'}), [])


if __name__ == "__main__":
    unittest.main()
