#!/usr/bin/env python3
"""check_docs.py [ROOT]: the documents are true as far as a program can tell.

- A block of code in README.md or docs/ stands in a file of the repository, line for line, common
  indentation apart. The comment on the line before names it: <!-- examples/minimal.cpp -->.
  Commands for people are marked <!-- shell -->, and a transcript <!-- scene NAME --> is what
  tests/seed/scenes.py expects of that scene.
- Every file in examples/ is a program that the tests run.
- What links and `paths` point to exists; what is called sigpp::something is declared; every header
  is in README.md.
- Every blocking call has a row in docs/reference/blocking-calls.md.

Prints what is wrong, as FILE:LINE: WHAT, and exits 1 if anything is.
"""

import pathlib
import re
import runpy
import sys
import textwrap

FENCE = re.compile(r"^ *(?:```|~~~)(?P<language>.*)$")
MARK = re.compile(r"^ *<!-- (?P<mark>.+) -->$")
PROSE = {"text", "console"}  # languages of blocks that need no mark
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
PATH = re.compile(r"`(?P<path>\.?[\w*-]+(?:[/.][\w.*-]+)*/[\w.*-]*)`")
NAME = re.compile(r"\bsigpp::(?P<name>[a-z_]\w*)")
CALL = re.compile(r"^(?:SIGPP_EXPORT|inline|template <.*>) [\w:]+ (?P<name>\w+)\(", re.M)
CALLS = "docs/reference/blocking-calls.md"
CMAKE_NAMES = {"sigpp"}  # sigpp::sigpp is a target


class Check:
    def __init__(self, root):
        self.root = root
        self.wrong = []
        sys.path.insert(0, str(root / "tests/seed"))
        scenes = runpy.run_path(str(root / "tests/seed/scenes.py"))["SCENES"]
        self.scenes = {scene.name: scene for scene in scenes}
        headers = sorted((root / "include/sigpp").glob("*.hpp"))
        self.headers = [header.name for header in headers]
        code = re.sub("//.*", "", "".join(map(read, headers)))
        self.declared = set(re.findall(r"\w+", code))
        entries = [entry for entry in root.iterdir() if entry.name[0] != "."]
        self.folders = [entry for entry in entries if entry.is_dir() and entry.name != "build"]

    def run(self):
        documents = sorted(self.root.glob("*.md"))
        for folder in sorted(self.folders):
            documents += sorted(folder.rglob("*.md"))
        documents.remove(self.root / "docs/seed.md")  # not ours to change
        for document in documents:
            path = document.relative_to(self.root)
            lines = read(document).splitlines()
            if path.parts[0] in ("README.md", "docs"):
                self.blocks(path, lines)
            self.prose(path, lines)
        self.examples()
        self.guide()
        self.calls()
        return self.wrong

    def report(self, path, number, what):
        self.wrong.append(f"{path}:{number}: {what}")

    def blocks(self, path, lines):
        """Every fenced block is marked, and stands in the file that its mark names."""
        begin, mark, language = None, None, ""
        for number, line in enumerate(lines, 1):
            fence = FENCE.match(line)
            if fence and begin is None:
                begin, language = number, fence["language"].strip()
                before = MARK.match(lines[number - 2]) if number > 1 else None
                mark = before and before["mark"]
            elif fence:
                code = lines[begin : number - 1]
                if what := self.block(language, mark, code):
                    self.report(path, begin, what)
                begin = None
        if begin is not None:
            self.report(path, begin, "the block has no end")

    def block(self, language, mark, code):
        """What is wrong with one block, or None."""
        if mark is None:
            return None if language in PROSE else f"unmarked block of {language or 'no language'}"
        if mark == "shell":
            return None if language == "sh" else f"marked as shell, but its language is {language}"
        if mark.startswith("scene "):
            scene = self.scenes.get(mark.removeprefix("scene "))
            if scene is None:
                return f"there is no {mark}"
            return None if scene.script.splitlines() == code else f"not what {mark} expects"
        file = self.root / mark
        if not file.is_file():
            return f"there is no {mark}"
        return None if stands_in(code, read(file).splitlines()) else f"does not stand in {mark}"

    def prose(self, path, lines):
        """Links, `paths` and names of what is declared."""
        folders = {folder.name for folder in self.folders}
        for number, line in enumerate(lines, 1):
            for link in LINK.finditer(line):
                if what := self.link(path, link["target"]):
                    self.report(path, number, what)
            for found in PATH.finditer(line):
                named = found["path"]
                if named.split("/")[0] in folders and not any(self.root.glob(named.rstrip("/"))):
                    self.report(path, number, f"there is no {named}")
            for found in NAME.finditer(line):
                if found["name"] not in self.declared | CMAKE_NAMES:
                    self.report(path, number, f"nothing is called {found[0]}")

    def link(self, path, target):
        if re.match(r"[a-z]+:", target):
            return None
        file, _, anchor = target.partition("#")
        to = self.root / path.parent / file if file else self.root / path
        if not to.exists():
            return f"dead link: {target}"
        if anchor and anchor not in anchors(read(to)):
            return f"dead link: {target} (no such heading)"
        return None

    def examples(self):
        lists = " ".join(map(read, (self.root / "tests").rglob("CMakeLists.txt")))
        run = {scene.example for scene in self.scenes.values()}
        run |= set(re.findall(r"\$\{examples\}/(\w+)", lists))
        for file in sorted((self.root / "examples").glob("*.cpp")):
            if file.stem not in run:
                self.report(file.relative_to(self.root), 1, "no test runs this example")

    def guide(self):
        readme = read(self.root / "README.md")
        for header in self.headers:
            if f"`{header}`" not in readme:
                self.report("README.md", 1, f"does not tell what {header} is for")

    def calls(self):
        page = self.root / CALLS
        if not page.is_file():
            return
        headers = (self.root / "include/sigpp" / name for name in ("io.hpp", "child.hpp"))
        public = (re.sub(r"(?s)namespace detail \{.*?\n\}", "", read(header)) for header in headers)
        cells = " ".join(re.findall(r"^\|([^|]*)\|", read(page), re.M))
        for name in sorted(set(CALL.findall("".join(public)))):
            if f"`{name}`" not in cells:
                self.report(CALLS, 1, f"has no row for {name}")


def read(path):
    return path.read_text(encoding="utf-8")


def stands_in(code, lines):
    """Whether `code` is a run of `lines`, common indentation apart."""
    wanted = textwrap.dedent("\n".join(code))
    runs = (lines[at : at + len(code)] for at in range(len(lines) - len(code) + 1))
    return bool(code) and any(textwrap.dedent("\n".join(run)) == wanted for run in runs)


def anchors(text):
    """The anchors of a document's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    WRONG = Check(ROOT).run()
    print("\n".join(WRONG) if WRONG else "The documents are true, as far as this can tell.")
    sys.exit(1 if WRONG else 0)
