// What the files of sigpp._core have in common.
#pragma once

#include <chrono>

#include <sigpp/sigpp.hpp>

#include "python.hpp"

namespace sigpp_python {

/// Numbers from an iterable, with CPython's errors. Throws python_error.
sigpp::signal_set to_set(PyObject* iterable);
/// Seconds, rounded up to nanoseconds. Throws python_error.
std::chrono::nanoseconds to_duration(PyObject* seconds, const char* negative);
/// As a C int. Throws python_error.
int to_int(PyObject* number);
/// The set as ints.
ref to_python(const sigpp::signal_set& signals);
/// sigpp.signal_info.
ref to_python(const sigpp::signal_info& info);

/// CPython's struct_siginfo, for what sigwaitinfo() returns.
void set_siginfo_type(ref type);

/// Leaves this thread's wait in a stream that has been closed, by an exception.
void leave_what_is_closed();

/// Where C++ calls Python: `f` runs with the GIL.
template <class F>
void in_python(F f) {
  const with_gil gil;
  f();
  if (gil.is_outermost()) leave_what_is_closed();
}

/// RuntimeError unless the main thread has activated this. Throws python_error.
void require_active();
bool on_main_thread() noexcept;
/// The interpreter ends: CPython has its signals again.
bool has_ended() noexcept;

/// The functions, types and exceptions of each file. Throw python_error.
void add_conversions(PyObject* module);
void add_signals(PyObject* module);
void add_waiting(PyObject* module);
void add_arrivals(PyObject* module);
void add_times(PyObject* module);

/// `module.name = what`.
void add(PyObject* module, const char* name, const ref& what);

}  // namespace sigpp_python
