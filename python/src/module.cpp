// sigpp._core: one file for every CPython from 3.8 on.
#include "core.hpp"

// Of the stable interface since 3.9; before, under its old name.
extern "C" [[gnu::weak]] PyInterpreterState* PyInterpreterState_Get();
extern "C" [[gnu::weak]] PyInterpreterState* _PyInterpreterState_Get();

namespace sigpp_python {

namespace {

bool in_the_main_interpreter() {
  PyInterpreterState* const here =
      PyInterpreterState_Get != nullptr ? PyInterpreterState_Get() : _PyInterpreterState_Get();
  return PyInterpreterState_GetID(here) == 0;
}

int execute(PyObject* module) {
  static bool executed = false;
  if (executed || !in_the_main_interpreter()) {
    PyErr_SetString(PyExc_ImportError,
                    "sigpp works in the main interpreter only, as Python's signal handlers do");
    return -1;
  }
  try {
    add_conversions(module);
    add_signals(module);
    add_waiting(module);
    add_arrivals(module);
    add_times(module);
  } catch (...) {
    set_error();
    return -1;
  }
  executed = true;
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(execute)},
    {0, nullptr},
};
PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "sigpp._core",
                          "Python's signals by sigpp.",
                          0,
                          nullptr,
                          slots,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace

}  // namespace sigpp_python

// NOLINTNEXTLINE(bugprone-reserved-identifier): Python looks for this name
PyMODINIT_FUNC PyInit__core() { return PyModuleDef_Init(&sigpp_python::definition); }
