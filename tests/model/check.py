#!/usr/bin/env python3
"""check.py SPIN CC MODEL holds|breaks [-D...]

Has spin explore every state of a model. `holds`: all of them, and no error in any; `breaks`: an
assertion must fail in some state, for the -D names a mistake that the model shall find.
"""
import re
import subprocess
import sys
import tempfile


def run(*command):
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed:\n{done.stdout}")
    return done.stdout


spin, cc, model, expected, *macros = sys.argv[1:]
with tempfile.TemporaryDirectory() as directory:
    said = run(spin, "-a", *macros, model)
    # NOREDUCE: partial order reduction is not sound with `provided`. -E: how everything has to
    # stand at the end is asserted by the models.
    run(cc, "-O2", "-w", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=8000", "-o", "pan", "pan.c")
    said += run("./pan", "-E", "-m100000", "-w22")

found = re.search(r"errors: (\d+)", said)
complete = not re.search("not completed|too small|out of memory|max size|Error", said)
broken = "assertion violated" in said
if expected == "holds":
    good = found is not None and found[1] == "0" and complete and not broken
else:
    good = broken and "invalid PROVIDED" not in said
print("\n".join(line for line in said.splitlines() if line.strip()))
sys.exit(0 if good else f"expected that it {expected}")
