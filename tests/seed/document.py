"""The Python programs of docs/seed.md, as they stand there."""

import dataclasses
import pathlib
import re

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "seed.md"
PART = re.compile(r"^##+ (?P<heading>[^\n]*)$|^```python\n(?P<code>.*?)^```$", re.M | re.S)


@dataclasses.dataclass(frozen=True)
class Block:
    heading: str
    code: str


def blocks():
    """Every Python block, in the document's order."""
    found = []
    heading = ""
    for part in PART.finditer(DOCUMENT.read_text(encoding="utf-8")):
        if part["heading"]:
            heading = part["heading"]
        else:
            found.append(Block(heading, part["code"]))
    return found


def block_with(text):
    """The one Python block that contains `text`."""
    (block,) = (block for block in blocks() if text in block.code)
    return block


def without(code, line):
    """`code` without its one line `line`."""
    lines = code.splitlines(keepends=True)
    lines.remove(line + "\n")
    return "".join(lines)
