// What Python's module lacks, of time: timers without number, timeouts, a sleep that those end.
#include <memory>

#include "core.hpp"
#include "object.hpp"

namespace sigpp_python {

namespace {

PyObject* timed_out = nullptr;  // the exception; never freed

// --- timers -------------------------------------------------------------------------------------

// Shared with the function that sigpp calls; changed with the GIL.
struct timer_state {
  PyObject* f;
  bool repeats;
  sigpp::timer its;
};

struct timer {
  std::shared_ptr<timer_state> shared;

  // Who drops the object has not cancelled it.
  static void forget(timer* state) noexcept {
    state->shared->its.detach();
    delete state;
  }
};

void call_timer(const std::shared_ptr<timer_state>& state) {
  in_python([&] {
    const ref f = ref::to(state->f);
    if (!f) return;
    if (!state->repeats) Py_CLEAR(state->f);
    checked(PyObject_CallFunctionObjArgs(f.get(), nullptr));
  });
}

PyObject* new_timer(PyTypeObject* type, PyObject* arguments, PyObject*) {
  return guarded([&]() -> PyObject* {
    PyObject* seconds = nullptr;
    PyObject* f = nullptr;
    int repeats = 0;
    if (!PyArg_ParseTuple(arguments, "OOp:timer", &seconds, &f, &repeats)) return nullptr;
    require_active();
    const auto length = to_duration(seconds, "the time must be non-negative");
    auto state = std::make_shared<timer_state>();
    state->repeats = repeats != 0;
    const auto call = [state] { call_timer(state); };
    auto made = std::make_unique<timer>(timer{state});
    state->f = ref::to(f).release();
    try {
      state->its = repeats != 0 ? sigpp::call_every(length, call) : sigpp::call_later(length, call);
    } catch (...) {
      Py_CLEAR(state->f);
      throw;
    }
    return allocate(type, std::move(made));
  });
}

PyObject* cancel_timer(PyObject* self, PyObject*) {
  return guarded([&] {
    timer_state& state = *state_of<timer>(self).shared;
    bool cancelled = false;
    {
      const without_gil others;
      cancelled = state.its.cancel();
    }
    Py_CLEAR(state.f);
    return PyBool_FromLong(cancelled ? 1 : 0);
  });
}

PyObject* exit_timer(PyObject* self, PyObject*) {
  checked(cancel_timer(self, nullptr));
  return none();
}

PyObject* remaining_time(PyObject* self, PyObject*) {
  return guarded([&] {
    const auto left = state_of<timer>(self).shared->its.remaining();
    return PyFloat_FromDouble(std::chrono::duration<double>(left).count());
  });
}

PyMethodDef timer_methods[] = {
    {"cancel", cancel_timer, METH_NOARGS,
     "cancel($self, /)\n--\n\n"
     "The function is not called any more. False: it had been, for the last time."},
    {"remaining", remaining_time, METH_NOARGS,
     "remaining($self, /)\n--\n\nSeconds until the next call; 0 if there is none."},
    {"__enter__", itself, METH_NOARGS, nullptr},
    {"__exit__", exit_timer, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
char timer_doc[] = "What call_later() and call_every() return.";
PyType_Slot timer_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(new_timer)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate<timer>)},
    {Py_tp_methods, timer_methods},
    {Py_tp_doc, timer_doc},
    {0, nullptr},
};
PyType_Spec timer_spec = {"sigpp._core.timer", sizeof(object<timer>), 0, Py_TPFLAGS_DEFAULT,
                          timer_slots};

// --- timeouts -----------------------------------------------------------------------------------

// A timer of the main thread's. There its function raises TimedOut, as a signal's handler would;
// for another thread it makes the interpreter raise it, and interrupts sigpp's blocking calls.
struct timeout {
  std::chrono::nanoseconds length{};
  sigpp::timer timer;
  sigpp::thread_handle thread;
  unsigned long python_thread = 0;
  bool on_main = false;
  bool expired = false;

  // It may be running out on the main thread, which needs the GIL for it.
  void cancel() {
    if (python_thread == 0 || on_main) {
      timer.cancel();
    } else {
      const without_gil others;
      timer.cancel();
    }
  }

  // Dropped without __exit__.
  static void forget(timeout* state) noexcept {
    if (!has_ended()) state->cancel();
    delete state;
  }
};

void expire(timeout& state, PyObject* self) {
  const with_gil gil;
  state.expired = true;
  if (state.on_main) {
    PyErr_SetObject(timed_out, self);
    throw python_error{};
  }
  PyThreadState_SetAsyncExc(state.python_thread, timed_out);
  sigpp::interrupt(state.thread);
}

PyObject* new_timeout(PyTypeObject* type, PyObject* arguments, PyObject*) {
  return guarded([&]() -> PyObject* {
    PyObject* seconds = nullptr;
    if (!PyArg_ParseTuple(arguments, "O:timeout", &seconds)) return nullptr;
    require_active();
    auto state = std::make_unique<timeout>();
    state->length = to_duration(seconds, "the time must be non-negative");
    return allocate(type, std::move(state));
  });
}

// What the timeout has asked this thread for, and has not come.
void withdraw(const timeout& state) {
  PyThreadState_SetAsyncExc(state.python_thread, nullptr);
  try {
    sigpp::check();
  } catch (const sigpp::interrupted&) {
  }
}

PyObject* enter_timeout(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    auto& state = state_of<timeout>(self);
    if (state.python_thread != 0) {
      PyErr_SetString(PyExc_RuntimeError, "a timeout can be entered once");
      return nullptr;
    }
    state.python_thread = PyThread_get_thread_ident();
    state.on_main = on_main_thread();
    if (!state.on_main) state.thread = sigpp::this_thread::handle();
    state.timer = sigpp::call_later(state.length, [&state, self] { expire(state, self); });
    try {
      sigpp::check();  // arms it; the next that Python calls may block
    } catch (...) {
      state.cancel();
      if (!state.expired) throw;
      PyErr_Clear();  // it is over already, and there will be no __exit__
      if (!state.on_main) withdraw(state);
      PyErr_SetString(PyExc_TimeoutError, "timed out");
      throw python_error{};
    }
    return ref::to(self).release();
  });
}

// true: `value` is a TimedOut, and this scope's.
bool is_ours(const timeout& state, PyObject* self, PyObject* value) {
  if (value == nullptr || PyErr_GivenExceptionMatches(value, timed_out) == 0) return false;
  if (!state.on_main) return state.expired;
  const ref arguments = checked(PyObject_GetAttrString(value, "args"));
  return PyTuple_Size(arguments.get()) == 1 && PyTuple_GetItem(arguments.get(), 0) == self;
}

PyObject* exit_timeout(PyObject* self, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    if (!PyArg_ParseTuple(arguments, "OOO:__exit__", &type, &value, &trace)) return nullptr;
    auto& state = state_of<timeout>(self);
    state.cancel();
    if (!state.on_main && state.expired) withdraw(state);
    if (!is_ours(state, self, value)) return none();
    PyErr_SetString(PyExc_TimeoutError, "timed out");
    return nullptr;
  });
}

PyObject* timeout_expired(PyObject* self, void*) {
  return PyBool_FromLong(state_of<timeout>(self).expired ? 1 : 0);
}

PyMethodDef timeout_methods[] = {
    {"__enter__", enter_timeout, METH_NOARGS, nullptr},
    {"__exit__", exit_timeout, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
char timeout_expired_name[] = "expired";
char timeout_expired_doc[] = "Was the time over before the block was left?";
PyGetSetDef timeout_attributes[] = {
    {timeout_expired_name, timeout_expired, nullptr, timeout_expired_doc, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
char timeout_doc[] =
    "timeout(seconds)\n--\n\n"
    "With it, the block may take so long; then TimedOut is raised in it, and TimeoutError after "
    "it.";
PyType_Slot timeout_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(new_timeout)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate<timeout>)},
    {Py_tp_methods, timeout_methods},
    {Py_tp_getset, timeout_attributes},
    {Py_tp_doc, timeout_doc},
    {0, nullptr},
};
PyType_Spec timeout_spec = {"sigpp._core.timeout", sizeof(object<timeout>), 0, Py_TPFLAGS_DEFAULT,
                            timeout_slots};

// --- sleep --------------------------------------------------------------------------------------

PyObject* sleep(PyObject*, PyObject* seconds) {
  return guarded([&] {
    const auto length = to_duration(seconds, "sleep length must be non-negative");
    {
      const without_gil others;
      sigpp::sleep_for(length);
    }
    return none();
  });
}

PyMethodDef methods[] = {
    {"sleep", sleep, METH_O,
     "sleep($module, seconds, /)\n--\n\n"
     "As time.sleep(); a timeout ends it on any thread."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void set_timed_out() {
  PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), nullptr);
  PyErr_SetNone(timed_out);
}

void add_times(PyObject* module) {
  if (PyModule_AddFunctions(module, methods) != 0) throw python_error{};
  timed_out = checked(PyErr_NewExceptionWithDoc(
                          "sigpp.TimedOut",
                          "Raised where a timeout() is over; it comes out of the block as "
                          "TimeoutError.\nNo Exception, so that code that recovers from errors "
                          "does not swallow it.",
                          PyExc_BaseException, nullptr))
                  .release();
  add(module, "TimedOut", ref::to(timed_out));
  add(module, "timer", checked(PyType_FromSpec(&timer_spec)));
  add(module, "timeout", checked(PyType_FromSpec(&timeout_spec)));
}

}  // namespace sigpp_python
