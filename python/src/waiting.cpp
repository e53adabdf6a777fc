// The functions of Python's module that wait for signals or block them, and what is beside them.
#include <signal.h>

#include <optional>

#include "core.hpp"

namespace sigpp_python {

namespace {

PyObject* siginfo_type = nullptr;  // CPython's struct_siginfo; never freed

PyObject* pause(PyObject*, PyObject*) {
  return guarded([] {
    {
      const without_gil others;
      sigpp::pause();
    }
    return none();
  });
}

PyObject* pthread_sigmask(PyObject*, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    int how = 0;
    PyObject* signals = nullptr;
    if (!PyArg_ParseTuple(arguments, "iO:pthread_sigmask", &how, &signals)) return nullptr;
    std::error_code error;
    const sigpp::signal_set old = sigpp::pthread_sigmask(how, to_set(signals), error);
    throw_if(error);
    return to_python(old).release();
  });
}

ref to_siginfo(const siginfo_t& info) {
  return checked(PyObject_CallFunction(
      siginfo_type, "((iiiiiil))", info.si_signo, info.si_code, info.si_errno,
      static_cast<int>(info.si_pid), static_cast<int>(info.si_uid), info.si_status, info.si_band));
}

PyObject* sigwait(PyObject*, PyObject* signals) {
  return guarded([&]() -> PyObject* {
    const sigpp::signal_set set = to_set(signals);
    int taken = 0;
    {
      const without_gil others;
      taken = sigpp::sigwait(set);
    }
    return PyLong_FromLong(taken);
  });
}

PyObject* sigwaitinfo(PyObject*, PyObject* signals) {
  return guarded([&]() -> PyObject* {
    const sigpp::signal_set set = to_set(signals);
    siginfo_t info{};
    {
      const without_gil others;
      info = sigpp::sigwaitinfo(set).native_handle();
    }
    return to_siginfo(info).release();
  });
}

PyObject* sigtimedwait(PyObject*, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    PyObject* signals = nullptr;
    PyObject* timeout = nullptr;
    if (!PyArg_ParseTuple(arguments, "OO:sigtimedwait", &signals, &timeout)) return nullptr;
    const sigpp::signal_set set = to_set(signals);
    const auto length = to_duration(timeout, "timeout must be non-negative");
    std::optional<sigpp::signal_info> taken;
    {
      const without_gil others;
      taken = sigpp::sigtimedwait(set, length);
    }
    return taken ? to_siginfo(taken->native_handle()).release() : none();
  });
}

PyObject* prepare_child(PyObject*, PyObject*) {
  if (!sigpp::prepare_child()) return PyErr_SetFromErrno(PyExc_OSError);
  return none();
}

PyMethodDef methods[] = {
    {"pause", pause, METH_NOARGS,
     "pause($module, /)\n--\n\nWait until a signal arrives and its handler has run."},
    {"pthread_sigmask", pthread_sigmask, METH_VARARGS,
     "pthread_sigmask($module, how, mask, /)\n--\n\n"
     "Fetch and/or change the signal mask of the calling thread."},
    {"sigwait", sigwait, METH_O,
     "sigwait($module, sigset, /)\n--\n\n"
     "Wait for a signal in the given set, and return its number. Not deaf to other signals."},
    {"sigwaitinfo", sigwaitinfo, METH_O,
     "sigwaitinfo($module, sigset, /)\n--\n\n"
     "Wait for a signal in the given set, and return its siginfo."},
    {"sigtimedwait", sigtimedwait, METH_VARARGS,
     "sigtimedwait($module, sigset, timeout, /)\n--\n\n"
     "Like sigwaitinfo(), but at most for timeout seconds: None when they have passed."},
    {"prepare_child", prepare_child, METH_NOARGS,
     "prepare_child($module, /)\n--\n\n"
     "For subprocess's preexec_fn: the program starts with no signal blocked and none ignored "
     "that\n"
     "this one has not inherited."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void set_siginfo_type(ref type) { siginfo_type = type.release(); }

void add_waiting(PyObject* module) {
  if (PyModule_AddFunctions(module, methods) != 0) throw python_error{};
}

}  // namespace sigpp_python
