// Python's `_signal`, as far as it is sigpp's; the rest of it stays CPython's own.
//
// CPython's table has `dispatch` where a handler is ours, and `slots` has the handler. When there
// is something to do sigpp calls CPython's own signal handler on the main thread (see
// <sigpp/runtime.hpp>) with the number `carrier`. That makes blocking calls of the interpreter
// return and run PyErr_CheckSignals(), which calls dispatch(carrier): a safe point of sigpp's. With
// any other number somebody has simulated the signal: _thread.interrupt_main().
//
// To change that table is to change the system's action, too, for an instant in which signals come.
// So it is changed as seldom as can be, to what can be heard (set_in_table) or is there already;
// and never for the doorbell, of which a ring would be lost, or kill.
#include <signal.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include "core.hpp"

namespace sigpp_python {

namespace {

const int carrier = SIGRTMAX - 1;  // any that nobody sends; whoever does finds it as it was
constexpr int doorbell = SIGPP_DOORBELL_SIGNAL;

enum class answer : unsigned char { unknown, no, yes };

struct slot {
  PyObject* handler = nullptr;  // or SIG_DFL, SIG_IGN; null: as the table says
  answer wants_info = answer::unknown;
  bool may_have_been_heard = false;  // by CPython's C-level handler
};

// Of the one interpreter that may use them; with the GIL. Never freed.
std::array<slot, static_cast<std::size_t>(sigpp::signal_set::capacity) + 1> slots;
PyObject* handlers[2] = {};        // signal.Handlers: SIG_DFL, SIG_IGN
PyObject* stock = nullptr;         // CPython's own `_signal`
PyObject* stock_signal = nullptr;  // and its functions
PyObject* stock_getsignal = nullptr;
PyObject* dispatch_function = nullptr;
PyObject* doorbells_entry = nullptr;  // in CPython's table
unsigned long main_thread = 0;
bool ended = false;
void (*cpythons_handler)(int) = nullptr;

slot& slot_of(int signum) { return slots[static_cast<std::size_t>(signum)]; }
bool in_range(long signum) noexcept { return signum >= 1 && signum < NSIG; }

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

void call_handler(int signum, const sigpp::signal_info& info) {
  slot& here = slot_of(signum);
  const ref handler = ref::to(here.handler);
  if (!handler || PyCallable_Check(handler.get()) == 0) return;  // it has just been taken away
  if (here.wants_info == answer::unknown) {
    const bool wants = wants_info(handler.get());
    if (here.handler != handler.get()) return call_handler(signum, info);  // asking has run code
    here.wants_info = wants ? answer::yes : answer::no;
  }
  PyObject* const frame = reinterpret_cast<PyObject*>(PyEval_GetFrame());
  const ref number = checked(PyLong_FromLong(signum));
  const ref told = here.wants_info == answer::yes ? to_python(info) : ref();
  checked(PyObject_CallFunctionObjArgs(handler.get(), number.get(),
                                       frame != nullptr ? frame : Py_None, told.get(), nullptr));
}

// The one handler that sigpp knows.
void on_arrival(int signum, const sigpp::signal_info& info) {
  in_python([&] { call_handler(signum, info); });
}

void tell_cpython() { cpythons_handler(carrier); }

PyObject* dispatch(PyObject*, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    PyObject* const number = PyTuple_GetItem(arguments, 0);  // the other one is the frame
    const long signum = number != nullptr ? PyLong_AsLong(number) : -1;
    if (signum == carrier) {
      sigpp::check();
    } else if (in_range(signum)) {
      const int number_of = static_cast<int>(signum);
      if (std::exchange(slot_of(number_of).may_have_been_heard, false)) {
        sigpp::raise_signal(number_of);  // for everybody who wants it
      } else {
        call_handler(number_of, sigpp::signal_info(number_of));
      }
    } else if (PyErr_Occurred() != nullptr) {
      return nullptr;
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

bool same(PyObject* a, const char* name) {
  const ref b = checked(PyObject_GetAttrString(stock, name));
  const int equal = PyLong_Check(a) != 0 ? PyObject_RichCompareBool(a, b.get(), Py_EQ) : 0;
  if (equal < 0) throw python_error{};
  return equal != 0;
}

ref set_in_cpython(int signum, PyObject* handler) {
  return checked(PyObject_CallFunction(stock_signal, "iO", signum, handler));
}

// CPython's table changes, to a function. So does the system's action, for an instant: what comes
// in it CPython hears, and dispatch() sends it again.
void set_in_table(int signum, PyObject* function) {
  struct sigaction action;
  const bool known = sigaction(signum, nullptr, &action) == 0;
  set_in_cpython(signum, function);
  slot_of(signum).may_have_been_heard = true;
  if (known) sigaction(signum, &action, nullptr);
}

// SIG_DFL or SIG_IGN: only if it is the system's action already, for a stream may want the signal.
bool set_if_it_is_so(int signum, PyObject* action) {
  struct sigaction now;
  if (sigaction(signum, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0 ||
      now.sa_handler != (same(action, "SIG_IGN") ? SIG_IGN : SIG_DFL)) {
    return false;
  }
  set_in_cpython(signum, action);
  return true;
}

ref in_cpython(int signum) {
  const ref number = checked(PyLong_FromLong(signum));
  return checked(PyObject_CallFunctionObjArgs(stock_getsignal, number.get(), nullptr));
}

// Is it as set() has left it? The doorbell's entry has nothing of ours.
bool is_ours(int signum, PyObject* in_table) noexcept {
  const bool untouched = signum == doorbell && slot_of(signum).handler != nullptr;
  return in_table == (untouched ? doorbells_entry : dispatch_function);
}

// What stands for it for everybody else.
ref shown(int signum, ref now) {
  PyObject* const ours = slot_of(signum).handler;
  if (!is_ours(signum, now.get())) return now;
  if (ours == nullptr) return checked(PyObject_GetAttrString(stock, "SIG_DFL"));  // the carrier
  return ref::to(ours);
}

ref get(int signum) { return shown(signum, in_cpython(signum)); }

void set_slot(int signum, PyObject* handler) {
  slot& here = slot_of(signum);
  const ref old(here.handler);
  Py_XINCREF(handler);
  here.handler = handler;
  here.wants_info = answer::unknown;
}

void note_entry(int signum, const ref& in_table) {
  if (signum != doorbell) return;
  const ref old(doorbells_entry);
  doorbells_entry = ref::to(in_table.get()).release();
}

ref set(int signum, PyObject* handler) {
  const ref meant = ref::to(slot_of(in_range(signum) ? signum : 0).handler);
  // What other code has got from CPython's own signal().
  if (handler == dispatch_function && meant) handler = meant.get();
  const bool callable = PyCallable_Check(handler) != 0;
  // CPython's own int: it does not know a member of an enum.
  const bool ignores = !callable && same(handler, "SIG_IGN");
  ref its;
  if (ignores || (!callable && same(handler, "SIG_DFL"))) {
    its = checked(PyObject_GetAttrString(stock, ignores ? "SIG_IGN" : "SIG_DFL"));
  }
  // Bad arguments and threads: CPython's own words. At the end they are CPython's signals.
  if (ended || !on_main_thread() || !in_range(signum) || (!callable && !its)) {
    return set_in_cpython(signum, its ? its.get() : handler);
  }
  if (PyErr_CheckSignals() != 0) throw python_error{};
  if (handler == dispatch_function) return get(signum);  // what it stood for has gone
  const ref now = in_cpython(signum);
  const bool is_known = is_ours(signum, now.get());
  ref previous = shown(signum, ref::to(now.get()));
  if (!callable) {
    try {
      sigpp::signal(signum, ignores ? SIG_IGN : SIG_DFL);
    } catch (const std::system_error& error) {
      throw_if(error.code());
    }
    note_entry(signum, now);
    set_slot(signum, its.get());
    if (signum == doorbell || signum == carrier) return previous;
    if (set_if_it_is_so(signum, its.get())) {
      set_slot(signum, nullptr);
    } else if (!is_known) {
      set_in_table(signum, dispatch_function);
    }
    return previous;
  }
  const ref before = ref::to(slot_of(signum).handler);
  note_entry(signum, now);
  set_slot(signum, handler);  // first: from here on it may be called
  try {
    if (!is_known && signum != doorbell) set_in_table(signum, dispatch_function);
    static const auto* const ours = new sigpp::handler(on_arrival);  // never destroyed
    sigpp::signal(signum, *ours);
  } catch (...) {
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    PyErr_Fetch(&type, &value, &trace);
    set_slot(signum, before.get());
    PyErr_Restore(type, value, trace);
    throw;
  }
  return previous;
}

// The module's functions tell SIG_DFL and SIG_IGN as members of signal.Handlers. Its own layer of
// Python tries that with every function, by an exception: half of the time that signal() takes.
PyObject* as_enum(ref handler) {
  if (PyLong_Check(handler.get()) == 0) return handler.release();
  const long number = PyLong_AsLong(handler.get());
  if (number != 0 && number != 1) return handler.release();
  return ref::to(handlers[number]).release();
}

char signalnum_name[] = "signalnum";
char handler_name[] = "handler";

PyObject* signal_(PyObject*, PyObject* arguments, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    int signum = 0;
    PyObject* handler = nullptr;
    static char* names[] = {signalnum_name, handler_name, nullptr};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "iO:signal", names, &signum, &handler)) {
      return nullptr;
    }
    return as_enum(set(signum, handler));
  });
}

PyObject* getsignal(PyObject*, PyObject* arguments, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    int signum = 0;
    static char* names[] = {signalnum_name, nullptr};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "i:getsignal", names, &signum)) {
      return nullptr;
    }
    return as_enum(get(signum));
  });
}

// What CPython's own function does after it: PyErr_CheckSignals(), which is our safe point, too.
PyObject* raise_signal(PyObject*, PyObject* number) {
  return guarded([&]() -> PyObject* {
    const int signum = to_int(number);
    std::error_code error;
    {
      const sigpp::shield later;
      sigpp::raise_signal(signum, error);
    }
    throw_if(error);
    return PyErr_CheckSignals() == 0 ? none() : nullptr;
  });
}

PyObject* siginterrupt(PyObject*, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    int signum = 0;
    int flag = 0;
    if (!PyArg_ParseTuple(arguments, "ii:siginterrupt", &signum, &flag)) return nullptr;
    if (!in_range(signum)) {
      PyErr_SetString(PyExc_ValueError, "signal number out of range");
      return nullptr;
    }
    std::error_code error;
    sigpp::siginterrupt(signum, flag != 0, error);
    throw_if(error);
    return none();
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

// --- beginning and end --------------------------------------------------------------------------

// activate(_signal, signal.SIG_DFL, signal.SIG_IGN): on the main thread of the main interpreter.
PyObject* activate(PyObject* module, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    PyObject *its = nullptr, *dfl = nullptr, *ign = nullptr;
    if (!PyArg_ParseTuple(arguments, "OOO:activate", &its, &dfl, &ign)) return nullptr;
    if (stock != nullptr) return PyBool_FromLong(0);
    const ref signal_function = checked(PyObject_GetAttrString(its, "signal"));
    const ref getsignal_function = checked(PyObject_GetAttrString(its, "getsignal"));
    dispatch_function = checked(PyObject_GetAttrString(module, "dispatch")).release();
    set_siginfo_type(checked(PyObject_GetAttrString(its, "struct_siginfo")));

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
    handlers[0] = ref::to(dfl).release();
    handlers[1] = ref::to(ign).release();
    sigpp::attach_runtime(tell_cpython);

    for (int n : sigpp::valid_signals()) {  // handlers that were there before
      const ref now = n == carrier ? ref::to(users.get()) : get(n);
      if (PyCallable_Check(now.get()) != 0 && now.get() != dispatch_function &&
          !same(now.get(), "SIG_DFL") && !same(now.get(), "SIG_IGN")) {
        set(n, now.get());
      }
    }
    sigpp::check();
    return PyBool_FromLong(1);
  });
}

// All is CPython's again; what has not been handled it gets from the kernel.
PyObject* deactivate(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    if (stock == nullptr || !on_main_thread()) return none();
    sigpp::check();
    sigpp::attach_runtime(nullptr);
    for (int n : sigpp::valid_signals()) {
      const ref in_table = in_cpython(n);
      if (!is_ours(n, in_table.get())) continue;
      const ref handler = shown(n, ref::to(in_table.get()));
      if (n == doorbell) {
        // Where CPython finds a function at the very end it sets SIG_DFL, and a late ring would
        // kill. Of this one a ring may be lost.
        if (PyCallable_Check(in_table.get()) != 0) {
          set_in_table(n, checked(PyObject_GetAttrString(stock, "SIG_IGN")).get());
        }
      } else if (PyCallable_Check(handler.get()) == 0) {
        set_if_it_is_so(n, handler.get());
      } else {
        set_in_table(n, handler.get());
        struct sigaction action {};
        action.sa_handler = cpythons_handler;
        sigpp::signal(n, sigpp::handler::from_native(action));
      }
    }
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

PyMethodDef methods[] = {
    {"signal", with_keywords(signal_), METH_VARARGS | METH_KEYWORDS,
     "signal($module, signalnum, handler)\n--\n\n"
     "Set the action for the given signal.\n\n"
     "The action can be SIG_DFL, SIG_IGN, or a callable f(signum, frame) or f(signum, frame, "
     "info).\n"
     "The previous action is returned. See getsignal() for possible return values."},
    {"getsignal", with_keywords(getsignal), METH_VARARGS | METH_KEYWORDS,
     "getsignal($module, signalnum)\n--\n\n"
     "Return the current action for the given signal.\n\n"
     "SIG_IGN, SIG_DFL, None (installed by other code), or the callable."},
    {"raise_signal", raise_signal, METH_O,
     "raise_signal($module, signalnum, /)\n--\n\nSend a signal to the executing thread."},
    {"siginterrupt", siginterrupt, METH_VARARGS,
     "siginterrupt($module, signalnum, flag, /)\n--\n\n"
     "Change system call restart behaviour: if flag is False, system calls will be restarted when\n"
     "interrupted by the signal, else they will be interrupted."},
    {"set_wakeup_fd", with_keywords(set_wakeup_fd), METH_VARARGS | METH_KEYWORDS,
     "set_wakeup_fd($module, fd, /, *, warn_on_full_buffer=True)\n--\n\n"
     "Sets the fd to be written to (with the signal number) when a signal comes in.\n\n"
     "What has no room there is written later. The previous fd or -1 is returned."},
    {"dispatch", dispatch, METH_VARARGS, "What CPython calls in place of a handler."},
    {"check", check, METH_NOARGS, "check($module, /)\n--\n\nRun the handlers of what has come."},
    {"after_fork", after_fork, METH_NOARGS, nullptr},
    {"require_active", require_active_, METH_NOARGS, nullptr},
    {"activate", activate, METH_VARARGS, nullptr},
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

void add(PyObject* module, const char* name, const ref& what) {
  if (PyObject_SetAttrString(module, name, what.get()) != 0) throw python_error{};
}

void add_signals(PyObject* module) {
  if (PyModule_AddFunctions(module, methods) != 0) throw python_error{};
}

}  // namespace sigpp_python
