"""The type stubs name what there is, with its parameters."""

import ast
import inspect
import pathlib
import sys
import unittest

import sigpp
import sigpp.signal

STUBS = pathlib.Path(sigpp.__file__).parent


def parameters_of_stub(function):
    every = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    names = [argument.arg for argument in every if argument.arg not in ("self", "cls")]
    return names + ([function.args.vararg.arg] if function.args.vararg else [])


def parameters(callable_):
    return [name for name in inspect.signature(callable_).parameters if name != "self"]


def private(name):
    return name.startswith("_")


class Stubs(unittest.TestCase):
    def setUp(self):
        tree = ast.parse((STUBS / "__init__.pyi").read_text(encoding="utf-8"))
        kinds = (ast.ClassDef, ast.FunctionDef)
        self.stubs = {node.name: node for node in tree.body if isinstance(node, kinds)}

    def test_every_name(self):
        there = {name for name in self.stubs if not private(name)}
        self.assertEqual(there, set(sigpp.__all__))

    def test_functions(self):
        for name, node in self.stubs.items():
            if isinstance(node, ast.FunctionDef):
                self.assertEqual(parameters_of_stub(node), parameters(getattr(sigpp, name)), name)

    @unittest.skipIf(sys.version_info < (3, 10), "types of an extension show no signature")
    def test_classes(self):
        for name, node in self.stubs.items():
            if isinstance(node, ast.FunctionDef) or name in ("TimedOut", "signal_info"):
                continue
            real = getattr(sigpp, name)
            told = {each.name: each for each in node.body}
            new = told.pop("__new__", None)
            if new is not None:
                self.assertEqual(parameters_of_stub(new), parameters(real), name)
            public = {each for each in dir(real) if not private(each)}
            self.assertEqual({each for each in told if not private(each)}, public, name)
            for each, function in told.items():
                self.assertTrue(hasattr(real, each), (name, each))
                if each in public and callable(getattr(real, each)):
                    self.assertEqual(
                        parameters_of_stub(function), parameters(getattr(real, each)), (name, each)
                    )

    def test_fields(self):
        fields = [each.target.id for each in self.stubs["signal_info"].body]
        self.assertEqual(len(fields), sigpp.signal_info.n_fields)
        self.assertEqual(list(sigpp.signal_info(range(len(fields)))), list(range(len(fields))))
        shown = repr(sigpp.signal_info(range(len(fields))))
        self.assertIn(", ".join(f"{name}={n}" for n, name in enumerate(fields)), shown)

    def test_the_module(self):
        tree = ast.parse((STUBS / "signal.pyi").read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                real = getattr(sigpp.signal, node.name)
                self.assertEqual(parameters_of_stub(node), parameters(real), node.name)


if __name__ == "__main__":
    unittest.main()
