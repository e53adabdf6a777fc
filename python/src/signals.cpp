// Python's `_signal`, as far as it is sigpp's; the rest of it stays CPython's own.
//
// CPython's table has `dispatch` where a handler is ours, and `slots` has the handler. When there
// is something to do sigpp calls CPython's own signal handler on the main thread (see
// <sigpp/runtime.hpp>) with the number `carrier`. That makes blocking calls of the interpreter
// return and run PyErr_CheckSignals(), which calls dispatch(carrier): a safe point of sigpp's. With
// any other number somebody has simulated the signal: _thread.interrupt_main().
#include <signal.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "core.hpp"

namespace sigpp_python {

namespace {

constexpr int carrier = SIGPP_DOORBELL_SIGNAL;

struct slot {
  PyObject* handler = nullptr;
  bool wants_info = false;
};

// Of the one interpreter that may use them; with the GIL. Never freed.
std::array<slot, static_cast<std::size_t>(sigpp::signal_set::capacity) + 1> slots;
PyObject* stock = nullptr;         // CPython's own `_signal`
PyObject* stock_signal = nullptr;  // and its functions
PyObject* stock_getsignal = nullptr;
PyObject* dispatch_function = nullptr;
PyObject* siginfo_type = nullptr;
PyTypeObject* info_type = nullptr;
unsigned long main_thread = 0;
bool ended = false;
void (*cpythons_handler)(int) = nullptr;

slot& slot_of(int signum) { return slots[static_cast<std::size_t>(signum)]; }
bool in_range(int signum) noexcept {
  return signum >= 1 && static_cast<std::size_t>(signum) < slots.size();
}

void call_handler(int signum, const sigpp::signal_info& info) {
  const ref handler = ref::to(slot_of(signum).handler);
  if (!handler || PyCallable_Check(handler.get()) == 0) return;  // it has just been taken away
  PyObject* const frame = reinterpret_cast<PyObject*>(PyEval_GetFrame());
  const ref number = checked(PyLong_FromLong(signum));
  const ref told = slot_of(signum).wants_info ? to_python(info) : ref();
  checked(PyObject_CallFunctionObjArgs(handler.get(), number.get(),
                                       frame != nullptr ? frame : Py_None, told.get(), nullptr));
}

// The one handler that sigpp knows.
void on_arrival(int signum, const sigpp::signal_info& info) {
  const with_gil gil;
  call_handler(signum, info);
}

void tell_cpython() { cpythons_handler(carrier); }

PyObject* dispatch(PyObject*, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    int signum = 0;
    PyObject* frame = nullptr;
    if (!PyArg_ParseTuple(arguments, "iO:dispatch", &signum, &frame)) return nullptr;
    if (signum == carrier) {
      sigpp::check();
    } else if (in_range(signum)) {
      call_handler(signum, sigpp::signal_info(signum));
    }
    return none();
  });
}

PyObject* check(PyObject*, PyObject*) {
  return guarded([] {
    sigpp::check();
    return none();
  });
}

// In a forked child, whose only thread is the main one.
PyObject* after_fork(PyObject*, PyObject*) {
  main_thread = PyThread_get_thread_ident();
  return check(nullptr, nullptr);
}

// Three positional parameters, none of which has a default: f(signum, frame, info). So every
// function that was written for Python's module gets what it expects.
bool wants_info(PyObject* handler) {
  const auto attribute = [](PyObject* object, const char* name) {
    ref found(PyObject_GetAttrString(object, name));
    if (!found) PyErr_Clear();
    return found;
  };
  ref function = attribute(handler, "__func__");  // of a bound method
  const bool bound = static_cast<bool>(function);
  if (!bound) function = ref::to(handler);
  const ref code = attribute(function.get(), "__code__");
  const ref defaults = attribute(function.get(), "__defaults__");
  if (!code) return false;
  const ref count = attribute(code.get(), "co_argcount");
  if (!count || !PyLong_Check(count.get())) return false;
  long parameters = PyLong_AsLong(count.get()) - (bound ? 1 : 0);
  if (defaults && PyTuple_Check(defaults.get())) parameters -= PyTuple_Size(defaults.get());
  return parameters == 3;
}

// CPython's table changes, the system's action does not.
ref set_in_cpython(int signum, PyObject* handler) {
  struct sigaction action;
  const bool known = in_range(signum) && sigaction(signum, nullptr, &action) == 0;
  ref previous = checked(PyObject_CallFunction(stock_signal, "iO", signum, handler));
  if (known) sigaction(signum, &action, nullptr);
  return previous;
}

ref get(int signum) {
  ref now = checked(PyObject_CallFunction(stock_getsignal, "i", signum));
  if (now.get() != dispatch_function) return now;
  PyObject* const ours = slot_of(signum).handler;
  if (ours == nullptr) return checked(PyObject_GetAttrString(stock, "SIG_DFL"));  // the carrier
  return ref::to(ours);
}

void set_slot(int signum, PyObject* handler) {
  slot& here = slot_of(signum);
  const ref old(here.handler);
  Py_XINCREF(handler);
  here.handler = handler;
  here.wants_info = handler != nullptr && wants_info(handler);
}

bool same(PyObject* a, const char* name) {
  const ref b = checked(PyObject_GetAttrString(stock, name));
  const int equal = PyLong_Check(a) != 0 ? PyObject_RichCompareBool(a, b.get(), Py_EQ) : 0;
  if (equal < 0) throw python_error{};
  return equal != 0;
}

ref set(int signum, PyObject* handler) {
  // Bad arguments and threads: CPython's own words.
  const bool callable = PyCallable_Check(handler) != 0;
  if (!on_main_thread() || !in_range(signum) ||
      (!callable && !same(handler, "SIG_DFL") && !same(handler, "SIG_IGN"))) {
    return checked(PyObject_CallFunction(stock_signal, "iO", signum, handler));
  }
  if (PyErr_CheckSignals() != 0) throw python_error{};
  ref previous = get(signum);
  if (!callable) {
    const bool ignores = same(handler, "SIG_IGN");
    if (signum != carrier) set_in_cpython(signum, handler);
    sigpp::signal(signum, ignores ? SIG_IGN : SIG_DFL);
    set_slot(signum, signum == carrier ? handler : nullptr);
    return previous;
  }
  if (handler == dispatch_function) {  // what other code has got from CPython's own signal()
    handler = slot_of(signum).handler;
    if (handler == nullptr) return previous;  // which has gone since
  }
  const ref before = ref::to(slot_of(signum).handler);
  set_slot(signum, handler);  // first: from here on it may be called
  try {
    if (signum != carrier) set_in_cpython(signum, dispatch_function);
    sigpp::signal(signum, on_arrival);
  } catch (...) {
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    PyErr_Fetch(&type, &value, &trace);
    set_slot(signum, before.get());
    PyErr_Restore(type, value, trace);
    throw;
  }
  return previous;
}

PyObject* signal_(PyObject*, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    int signum = 0;
    PyObject* handler = nullptr;
    if (!PyArg_ParseTuple(arguments, "iO:signal", &signum, &handler)) return nullptr;
    return set(signum, handler).release();
  });
}

PyObject* getsignal(PyObject*, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    int signum = 0;
    if (!PyArg_ParseTuple(arguments, "i:getsignal", &signum)) return nullptr;
    return get(signum).release();
  });
}

// --- set_wakeup_fd ------------------------------------------------------------------------------

// Python has no way to make one, but it shows one.
ref unraisable_arguments_type() {
  const ref sys = checked(PyImport_ImportModule("sys"));
  const ref before = checked(PyObject_GetAttrString(sys.get(), "unraisablehook"));
  const ref seen = checked(PyList_New(0));
  const ref append = checked(PyObject_GetAttrString(seen.get(), "append"));
  PyObject_SetAttrString(sys.get(), "unraisablehook", append.get());
  PyErr_SetNone(PyExc_OSError);
  PyErr_WriteUnraisable(nullptr);
  PyObject_SetAttrString(sys.get(), "unraisablehook", before.get());
  PyObject* const one = PyList_GetItem(seen.get(), 0);
  if (one == nullptr) throw python_error{};
  return ref::to(reinterpret_cast<PyObject*>(Py_TYPE(one)));
}

void report_wakeup_error(std::error_code error) {
  const with_gil gil;
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  try {
    const ref failure = checked(
        PyObject_CallFunction(PyExc_OSError, "is", error.value(), std::strerror(error.value())));
    const ref type_of = unraisable_arguments_type();
    const ref sys = checked(PyImport_ImportModule("sys"));
    const ref version = checked(PyObject_GetAttrString(sys.get(), "hexversion"));
    const char* const when = PyLong_AsLong(version.get()) >= 0x030E0000 ? "while" : "when";
    const ref text = checked(
        PyUnicode_FromFormat("Exception ignored %s trying to write to the signal wakeup fd", when));
    const ref arguments =
        checked(PyObject_CallFunction(type_of.get(), "((OOOOO))", Py_TYPE(failure.get()),
                                      failure.get(), Py_None, text.get(), Py_None));
    checked(PyObject_CallMethod(sys.get(), "unraisablehook", "(O)", arguments.get()));
  } catch (const python_error&) {
    PyErr_Clear();
  }
  PyErr_Restore(type, value, trace);
}

PyObject* set_wakeup_fd(PyObject*, PyObject* arguments, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    // CPython checks the arguments; then it forgets them. It writes when tell_cpython() is called.
    const sigpp::signal_mask quiet(sigpp::valid_signals());
    const ref its = checked(PyObject_GetAttrString(stock, "set_wakeup_fd"));
    checked(PyObject_Call(its.get(), arguments, keywords));
    checked(PyObject_CallFunction(its.get(), "i", -1));
    const int fd = static_cast<int>(PyLong_AsLong(PyTuple_GetItem(arguments, 0)));
    sigpp::wakeup_fd_options options;
    options.on_error = report_wakeup_error;
    if (keywords != nullptr) {
      PyObject* const warn = PyDict_GetItemString(keywords, "warn_on_full_buffer");
      options.warn_on_full_buffer = warn == nullptr || PyObject_IsTrue(warn) == 1;
    }
    return PyLong_FromLong(sigpp::set_wakeup_fd(fd, options));
  });
}

// --- waiting, masks -----------------------------------------------------------------------------

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
    if (error) {
      errno = error.value();
      return PyErr_SetFromErrno(PyExc_OSError);
    }
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

// --- beginning and end --------------------------------------------------------------------------

// activate(_signal): on the main thread of the main interpreter.
PyObject* activate(PyObject* module, PyObject* its) {
  return guarded([&]() -> PyObject* {
    if (stock != nullptr) return none();
    const ref signal_function = checked(PyObject_GetAttrString(its, "signal"));
    const ref getsignal_function = checked(PyObject_GetAttrString(its, "getsignal"));
    dispatch_function = checked(PyObject_GetAttrString(module, "dispatch")).release();
    siginfo_type = checked(PyObject_GetAttrString(its, "struct_siginfo")).release();

    // CPython's C-level handler, which it never tells: what it installs.
    struct sigaction before;
    struct sigaction cpythons;
    sigaction(carrier, nullptr, &before);
    const ref users = checked(PyObject_CallFunction(getsignal_function.get(), "i", carrier));
    checked(PyObject_CallFunction(signal_function.get(), "iO", carrier, dispatch_function));
    sigaction(carrier, nullptr, &cpythons);
    sigaction(carrier, &before, nullptr);
    if ((cpythons.sa_flags & SA_SIGINFO) != 0 || cpythons.sa_handler == SIG_DFL) {
      PyErr_SetString(PyExc_RuntimeError, "this interpreter's signal handler is not understood");
      return nullptr;
    }
    cpythons_handler = cpythons.sa_handler;
    main_thread = PyThread_get_thread_ident();
    stock_signal = ref::to(signal_function.get()).release();
    stock_getsignal = ref::to(getsignal_function.get()).release();
    stock = ref::to(its).release();
    sigpp::attach_runtime(tell_cpython);

    for (int n : sigpp::valid_signals()) {  // handlers that were there before
      const ref now = n == carrier ? ref::to(users.get()) : get(n);
      if (PyCallable_Check(now.get()) != 0 && now.get() != dispatch_function &&
          !same(now.get(), "SIG_DFL") && !same(now.get(), "SIG_IGN")) {
        set(n, now.get());
      }
    }
    sigpp::check();
    return none();
  });
}

// All is CPython's again; what has not been handled it gets from the kernel.
PyObject* deactivate(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    if (stock == nullptr || !on_main_thread()) return none();
    sigpp::check();
    for (int n : sigpp::valid_signals()) {
      const ref handler = get(n);
      if (slot_of(n).handler == nullptr || handler.get() != slot_of(n).handler) continue;
      if (n == carrier) continue;
      const ref previous = set_in_cpython(n, handler.get());
      struct sigaction action {};
      action.sa_handler = cpythons_handler;
      sigpp::signal(n, sigpp::handler::from_native(action));
    }
    // Else CPython would reset it at the very end, and a late ring of sigpp's would kill.
    const ref is_default = checked(PyObject_GetAttrString(stock, "SIG_DFL"));
    set_in_cpython(carrier, is_default.get());
    sigpp::attach_runtime(nullptr);
    ended = true;
    return none();
  });
}

PyObject* require_active_(PyObject*, PyObject*) {
  return guarded([] {
    require_active();
    return none();
  });
}

PyStructSequence_Field info_fields[] = {
    {"signum", "the number of the signal"},
    {"code", "why it was sent: si_code"},
    {"pid", "the process that sent it, or the child that a SIGCHLD is about; or None"},
    {"uid", "the real user id of that process, or None"},
    {"value", "what sigqueue() attached, or None"},
    {"status", "SIGCHLD: the exit status, or the signal that changed the child's state; or None"},
    {"address", "of a fault, or None"},
    {"time", "when it came, as time.monotonic() tells it"},
    {"thread", "the native id of the thread that the kernel interrupted, or None"},
    {"merged", "how many further arrivals this one stands for"},
    {nullptr, nullptr},
};
PyStructSequence_Desc info_description = {"sigpp.signal_info",
                                          "One arrival of a signal. What it does not have is None.",
                                          info_fields, 10};

PyMethodDef methods[] = {
    {"signal", signal_, METH_VARARGS,
     "signal($module, signalnum, handler, /)\n--\n\n"
     "Set the action for the given signal.\n\n"
     "The action can be SIG_DFL, SIG_IGN, or a callable f(signum, frame) or f(signum, frame, "
     "info).\n"
     "The previous action is returned. See getsignal() for possible return values."},
    {"getsignal", getsignal, METH_VARARGS,
     "getsignal($module, signalnum, /)\n--\n\n"
     "Return the current action for the given signal.\n\n"
     "SIG_IGN, SIG_DFL, None (installed by other code), or the callable."},
    {"set_wakeup_fd", with_keywords(set_wakeup_fd), METH_VARARGS | METH_KEYWORDS,
     "set_wakeup_fd($module, fd, /, *, warn_on_full_buffer=True)\n--\n\n"
     "Sets the fd to be written to (with the signal number) when a signal comes in.\n\n"
     "What has no room there is written later. The previous fd or -1 is returned."},
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
    {"dispatch", dispatch, METH_VARARGS, "What CPython calls in place of a handler."},
    {"check", check, METH_NOARGS, "check($module, /)\n--\n\nRun the handlers of what has come."},
    {"after_fork", after_fork, METH_NOARGS, nullptr},
    {"require_active", require_active_, METH_NOARGS, nullptr},
    {"activate", activate, METH_O, nullptr},
    {"deactivate", deactivate, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool has_ended() noexcept { return ended; }

bool on_main_thread() noexcept { return PyThread_get_thread_ident() == main_thread; }

void require_active() {
  if (stock != nullptr) return;
  PyErr_SetString(PyExc_RuntimeError,
                  "sigpp is not active: call sigpp.install() on the main thread first");
  throw python_error{};
}

sigpp::signal_set to_set(PyObject* iterable) {
  sigpp::signal_set result;
  const ref iterator = checked(PyObject_GetIter(iterable));
  while (const ref item = ref(PyIter_Next(iterator.get()))) {
    int overflow = 0;
    const long signum = PyLong_AsLongAndOverflow(item.get(), &overflow);
    if (signum <= 0 || signum >= static_cast<long>(NSIG)) {
      if (overflow != 0 || signum != -1 || PyErr_Occurred() == nullptr) {
        PyErr_Format(PyExc_ValueError, "signal number %ld out of range [1; %i]", signum, NSIG - 1);
      }
      throw python_error{};
    }
    const int n = static_cast<int>(signum);
    if (sigpp::valid_signals().contains(n)) {
      result.insert(n);
    } else if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                                "invalid signal number %ld, please use valid_signals()",
                                signum) != 0) {
      throw python_error{};
    }
  }
  if (PyErr_Occurred() != nullptr) throw python_error{};
  return result;
}

std::chrono::nanoseconds to_duration(PyObject* seconds, const char* negative) {
  const double value = PyFloat_AsDouble(seconds);
  if (value == -1.0 && PyErr_Occurred() != nullptr) throw python_error{};
  if (std::isnan(value)) {
    PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
    throw python_error{};
  }
  if (value < 0) {
    PyErr_SetString(PyExc_ValueError, negative);
    throw python_error{};
  }
  if (value >= 9.2e9) {
    PyErr_SetString(PyExc_OverflowError, "timestamp too large to convert to C _PyTime_t");
    throw python_error{};
  }
  return std::chrono::ceil<std::chrono::nanoseconds>(std::chrono::duration<double>(value));
}

ref to_python(const sigpp::signal_set& signals) {
  ref result = checked(PySet_New(nullptr));
  for (int n : signals) {
    const ref number = checked(PyLong_FromLong(n));
    if (PySet_Add(result.get(), number.get()) != 0) throw python_error{};
  }
  return result;
}

ref to_python(const sigpp::signal_info& info) {
  ref result = checked(PyStructSequence_New(info_type));
  Py_ssize_t field = 0;
  const auto put = [&](PyObject* value) {
    PyStructSequence_SetItem(result.get(), field++, checked(value).release());
  };
  const auto put_optional = [&](const auto& value) {
    put(value ? PyLong_FromLongLong(static_cast<long long>(*value)) : none());
  };
  put(PyLong_FromLong(info.number()));
  put(PyLong_FromLong(info.code()));
  put_optional(info.pid());
  put_optional(info.uid());
  const auto value = info.value();
  put(value ? PyLong_FromLong(value->sival_int) : none());
  put_optional(info.status());
  const auto address = info.address();
  put(address ? PyLong_FromVoidPtr(const_cast<void*>(*address)) : none());
  put(PyFloat_FromDouble(std::chrono::duration<double>(info.time().time_since_epoch()).count()));
  put_optional(info.thread());
  put(PyLong_FromUnsignedLong(info.merged()));
  return result;
}

void add(PyObject* module, const char* name, const ref& what) {
  if (PyObject_SetAttrString(module, name, what.get()) != 0) throw python_error{};
}

void add_signals(PyObject* module) {
  if (PyModule_AddFunctions(module, methods) != 0) throw python_error{};
  info_type = PyStructSequence_NewType(&info_description);
  add(module, "signal_info", ref::to(reinterpret_cast<PyObject*>(info_type)));
  if (info_type == nullptr) throw python_error{};
}

}  // namespace sigpp_python
