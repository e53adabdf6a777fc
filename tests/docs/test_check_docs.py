#!/usr/bin/env python3
"""The check of the documents goes red, and says why, on all that deserves it."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).with_name("check_docs.py")

README = """\
# A library

See [the guide](docs/guide.md#what-it-cannot-do) and `examples/hello.cpp`; `sigpp::signal`.

<!-- examples/hello.cpp -->
```cpp
greet();

if (polite) greet();
```

<!-- scene hello -->
```text
hello
exit status 0
```

<!-- shell -->
```sh
make
```

`signal.hpp`: start here.
"""
EXAMPLE = "int main() {\n  greet();\n\n  if (polite) greet();\n}\n"
SCENES = """\
import types
SCENES = [types.SimpleNamespace(name="hello", example="hello", script="hello\\nexit status 0\\n")]
"""


class CheckDocs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("README.md", README)
        self.write("docs/guide.md", "# What it *cannot* do\n")
        self.write("docs/seed.md", "[dead](dead.md)\n```python\nunmarked\n```\n")
        self.write("examples/hello.cpp", EXAMPLE)
        self.write("include/sigpp/signal.hpp", "inline constexpr function signal{};  // old\n")
        self.write("tests/seed/scenes.py", SCENES)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def check(self):
        """(exit status, output)"""
        command = [sys.executable, "-B", CHECK, self.root]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def assert_red(self, *reasons):
        status, output = self.check()
        self.assertEqual(status, 1)
        self.assertEqual(output.splitlines(), list(reasons))

    def assert_readme_red(self, old, new, *reasons):
        self.assertIn(old, README)
        self.write("README.md", README.replace(old, new, 1))
        self.assert_red(*reasons)

    def test_a_true_one_is_green(self):
        self.assertEqual(self.check()[0], 0, self.check()[1])

    def test_a_changed_letter(self):
        self.assert_readme_red(
            "(polite) g", "(polite) G", "README.md:6: does not stand in examples/hello.cpp"
        )

    def test_a_changed_indentation(self):
        self.assert_readme_red(
            "\nif (", "\n if (", "README.md:6: does not stand in examples/hello.cpp"
        )

    def test_a_line_left_out(self):
        self.assert_readme_red(
            "greet();\n\nif", "greet();\nif", "README.md:6: does not stand in examples/hello.cpp"
        )

    def test_an_empty_block(self):
        self.write("docs/more.md", "<!-- examples/hello.cpp -->\n```cpp\n```\n")
        self.assert_red("docs/more.md:2: does not stand in examples/hello.cpp")

    def test_an_unmarked_block(self):
        mark = "<!-- examples/hello.cpp -->"
        self.assert_readme_red(mark, "", "README.md:6: unmarked block of cpp")
        self.assert_readme_red(mark, mark + "\n", "README.md:7: unmarked block of cpp")
        self.write("README.md", README)
        for language in ("cmake", "sh", ""):
            self.write("docs/more.md", f"text\n```{language}\nx\n```\n")
            self.assert_red(f"docs/more.md:2: unmarked block of {language or 'no language'}")

    def test_code_that_is_called_shell(self):
        reason = "README.md:6: marked as shell, but its language is cpp"
        self.assert_readme_red("examples/hello.cpp --", "shell --", reason)

    def test_a_block_without_end(self):
        self.write("docs/more.md", "```text\nx\n")
        self.assert_red("docs/more.md:1: the block has no end")

    def test_a_mark_that_names_nothing(self):
        reason = "README.md:6: there is no examples/gone.cpp"
        self.assert_readme_red("<!-- examples/hello.cpp", "<!-- examples/gone.cpp", reason)
        self.assert_readme_red("scene hello", "scene gone", "README.md:13: there is no scene gone")

    def test_a_transcript_that_is_not_what_happens(self):
        reason = "README.md:13: not what scene hello expects"
        self.assert_readme_red("\nhello\n", "\nbye\n", reason)

    def test_a_dead_link(self):
        dead = "README.md:3: dead link: "
        self.assert_readme_red("docs/guide.md", "gone.md", f"{dead}gone.md#what-it-cannot-do")
        for target in ("docs/guide.md#when-it-cannot-do", "#what-it-cannot-do"):
            reason = f"{dead}{target} (no such heading)"
            self.assert_readme_red("docs/guide.md#what-it-cannot-do", target, reason)

    def test_a_path_that_is_not_there(self):
        paths = "`examples/gone.cpp`, `examples/`, `examples/*.cpp`, `and/or`"
        self.write("CHANGELOG.md", f"- {paths}\n")
        self.assert_red("CHANGELOG.md:1: there is no examples/gone.cpp")

    def test_a_name_that_is_not_declared(self):
        for name in ("singal", "old"):
            reason = f"README.md:3: nothing is called sigpp::{name}"
            self.assert_readme_red("sigpp::signal`", f"sigpp::{name}`", reason)

    def test_an_example_that_nothing_runs(self):
        self.write("examples/other.cpp", "int main() {}\n")
        self.assert_red("examples/other.cpp:1: no test runs this example")
        self.write("tests/CMakeLists.txt", "add_test(NAME other COMMAND ${examples}/other)\n")
        self.assertEqual(self.check()[0], 0)

    def test_a_header_that_the_readme_does_not_name(self):
        self.write("include/sigpp/new.hpp", "")
        self.assert_red("README.md:1: does not tell what new.hpp is for")

    def test_a_blocking_call_without_a_row(self):
        self.write("README.md", README + "`io.hpp`, `child.hpp`\n")
        self.write("include/sigpp/io.hpp", "SIGPP_EXPORT int read(int fd);\ninline int poll();\n")
        self.write("include/sigpp/child.hpp", "")
        self.write("docs/reference/blocking-calls.md", "| `read`, `poll` | |\n")
        self.assertEqual(self.check()[0], 0)
        self.write("docs/reference/blocking-calls.md", "| `read` | `poll` |\n")
        self.assert_red("docs/reference/blocking-calls.md:1: has no row for poll")


unittest.main()
