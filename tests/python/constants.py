#!/usr/bin/env python3
"""Prints C++ that knows every number in Python's signal module under the same name.

It does not compile if a name is missing from C++.
"""

import signal

print("inline int constant(const std::string& name) {")
for name, value in vars(signal).items():
    if isinstance(value, int) and not isinstance(value, signal.Handlers):
        print(f'  if (name == "{name}") return {name};')
print('  throw std::out_of_range("no constant " + name);\n}')
