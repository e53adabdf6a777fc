// CPython's stable interface, and the little that makes it safe in C++.
#pragma once

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03080000
#include <Python.h>

#include <cxxabi.h>

#include <cerrno>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace sigpp_python {

/// Python's error indicator is set: thrown through sigpp, whose safe points let it pass.
struct python_error {};

/// An owned reference. Needs the GIL wherever it is changed or destroyed.
class ref {
 public:
  ref() noexcept = default;
  explicit ref(PyObject* owned) noexcept : object_(owned) {}
  ref(ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  ref& operator=(ref&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~ref() { Py_XDECREF(object_); }
  static ref to(PyObject* borrowed) noexcept {
    Py_XINCREF(borrowed);
    return ref(borrowed);
  }
  [[nodiscard]] PyObject* get() const noexcept { return object_; }
  PyObject* release() noexcept { return std::exchange(object_, nullptr); }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

/// What a function of Python's has returned; throws python_error if that is NULL.
inline ref checked(PyObject* owned) {
  if (owned == nullptr) throw python_error{};
  return ref(owned);
}

/// For a while this thread is known to have the GIL, or not to have it.
class gil_mark {
 public:
  explicit gil_mark(bool has) noexcept : before_(std::exchange(has_, has)) {}
  ~gil_mark() { has_ = before_; }
  gil_mark(const gil_mark&) = delete;
  gil_mark& operator=(const gil_mark&) = delete;
  static bool has() noexcept { return has_; }

 private:
  // Initial-exec: one load.
  [[gnu::tls_model("initial-exec")]] static inline constinit thread_local bool has_ = false;
  bool before_;
};

/// With the GIL, whether this thread has it already or not.
class with_gil {
 public:
  with_gil() noexcept : taken_(!gil_mark::has()) {
    if (taken_) state_ = PyGILState_Ensure();
  }
  ~with_gil() {
    if (taken_) PyGILState_Release(state_);
  }
  [[nodiscard]] bool is_outermost() const noexcept { return taken_; }
  with_gil(const with_gil&) = delete;
  with_gil& operator=(const with_gil&) = delete;

 private:
  bool taken_;
  PyGILState_STATE state_{};
  gil_mark mark_{true};
};

/// Without it, so that others run.
class without_gil {
 public:
  without_gil() noexcept : state_(PyEval_SaveThread()) {}
  // When the interpreter ends, other threads end here: by pthread_exit, which unwinds.
  ~without_gil() noexcept(false) { PyEval_RestoreThread(state_); }
  without_gil(const without_gil&) = delete;
  without_gil& operator=(const without_gil&) = delete;

 private:
  gil_mark mark_{false};
  PyThreadState* state_;
};

/// This thread was interrupted by a timeout of its own: sets the error.
void set_timed_out();

/// OSError with the system's words, as CPython's own functions have it. Throws python_error.
inline void throw_if(const std::error_code& error) {
  if (!error) return;
  errno = error.value();
  PyErr_SetFromErrno(PyExc_OSError);
  throw python_error{};
}

/// The exception that is being handled becomes Python's.
inline void set_error() {
  try {
    throw;
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (const python_error&) {
  } catch (const std::system_error& error) {
    const ref arguments(Py_BuildValue("(is)", error.code().value(), error.what()));
    if (arguments) PyErr_SetObject(PyExc_OSError, arguments.get());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::invalid_argument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  } catch (...) {
    set_timed_out();
  }
}

/// Where Python calls C++: what `f` throws becomes Python's exception.
template <class F>
PyObject* guarded(F f) {
  const gil_mark mark(true);
  try {
    return f();
  } catch (...) {
    set_error();
    return nullptr;
  }
}

/// None.
inline PyObject* none() noexcept {
  Py_INCREF(Py_None);
  return Py_None;
}

// METH_VARARGS | METH_KEYWORDS functions have another type than the table.
inline PyCFunction with_keywords(PyCFunctionWithKeywords f) noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

}  // namespace sigpp_python
