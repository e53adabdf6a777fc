// What Python's module lacks: subscriptions, streams, timers, timeouts, sigqueue.
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "core.hpp"

namespace sigpp_python {

namespace {

PyObject* timed_out = nullptr;  // the exception; never freed

// Python's objects hold one of these; made by __new__, so never null.
template <class T>
struct object {
  PyObject_HEAD T* state;
};

template <class T>
T& state_of(PyObject* self) {
  return *reinterpret_cast<object<T>*>(self)->state;
}

template <class T>
PyObject* allocate(PyTypeObject* type, std::unique_ptr<T> state) {
  const auto make = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
  ref self = checked(make(type, 0));
  reinterpret_cast<object<T>*>(self.get())->state = state.release();
  return self.release();
}

template <class T>
void deallocate(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  if (T* const state = reinterpret_cast<object<T>*>(self)->state) T::forget(state);
  const auto give_back = reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free));
  give_back(self);
  Py_DECREF(type);
}

PyObject* itself(PyObject* self, PyObject*) { return ref::to(self).release(); }

// --- subscribe ----------------------------------------------------------------------------------

struct subscription {
  PyObject* f;
  sigpp::subscription its;

  // Who drops the object has not unsubscribed: the function goes on being called.
  static void forget(subscription* state) noexcept {
    if (!state->its) delete state;
  }
};

PyObject* unsubscribe(PyObject* self, PyObject*) {
  return guarded([&] {
    auto& state = state_of<subscription>(self);
    {
      const without_gil others;  // a call in progress needs it
      state.its.unsubscribe();
    }
    const ref last(std::exchange(state.f, nullptr));
    return none();
  });
}

PyObject* new_subscription(PyTypeObject* type, PyObject* arguments, PyObject*) {
  return guarded([&]() -> PyObject* {
    PyObject* signals = nullptr;
    PyObject* f = nullptr;
    if (!PyArg_ParseTuple(arguments, "OO:subscription", &signals, &f)) return nullptr;
    require_active();
    const sigpp::signal_set set = to_set(signals);
    auto state = std::make_unique<subscription>();
    const auto call = [f](const sigpp::signal_info& info) {
      const with_gil gil;
      const ref kept = ref::to(f);
      const ref told = to_python(info);
      checked(PyObject_CallFunctionObjArgs(f, told.get(), nullptr));
    };
    state->its = sigpp::subscribe(set, call);
    state->f = ref::to(f).release();
    return allocate(type, std::move(state));
  });
}

PyObject* exit_subscription(PyObject* self, PyObject*) { return unsubscribe(self, nullptr); }

PyMethodDef subscription_methods[] = {
    {"unsubscribe", unsubscribe, METH_NOARGS,
     "unsubscribe($self, /)\n--\n\n"
     "The function is not called any more. Waits for a call in progress on another thread."},
    {"__enter__", itself, METH_NOARGS, nullptr},
    {"__exit__", exit_subscription, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
char subscription_doc[] =
    "subscription(signals, f)\n--\n\n"
    "From now on f(info) is called on the main thread for each arrival of one of the signals.";
PyType_Slot subscription_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(new_subscription)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate<subscription>)},
    {Py_tp_methods, subscription_methods},
    {Py_tp_doc, subscription_doc},
    {0, nullptr},
};
PyType_Spec subscription_spec = {"sigpp._core.subscription", sizeof(object<subscription>), 0,
                                 Py_TPFLAGS_DEFAULT, subscription_slots};

// --- streams ------------------------------------------------------------------------------------

struct stream {
  std::optional<sigpp::signal_stream> its;

  // At the end of the interpreter what has not been read is forgotten, as it is in C++.
  static void forget(stream* state) noexcept {
    if (!has_ended()) delete state;
  }
};

sigpp::signal_stream& stream_of(PyObject* self) {
  auto& state = state_of<stream>(self);
  if (!state.its) {
    PyErr_SetString(PyExc_ValueError, "the stream is closed");
    throw python_error{};
  }
  return *state.its;
}

PyObject* new_stream(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    PyObject* signals = nullptr;
    Py_ssize_t capacity = 896;
    int stall = 0;
    static char names[3][9] = {"signals", "capacity", "stall"};
    static char* all[] = {names[0], names[1], names[2], nullptr};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|$np:stream", all, &signals, &capacity,
                                     &stall)) {
      return nullptr;
    }
    require_active();
    const sigpp::signal_set set = to_set(signals);
    sigpp::stream_options options;
    options.capacity = capacity < 0 ? 0 : static_cast<std::size_t>(capacity);
    if (stall != 0) options.policy = sigpp::when_full::stall;
    auto state = std::make_unique<stream>();
    state->its.emplace(set, options);
    return allocate(type, std::move(state));
  });
}

PyObject* stream_try_next(PyObject* self, PyObject*) {
  return guarded([&] {
    const auto info = stream_of(self).try_next();
    return info ? to_python(*info).release() : none();
  });
}

PyObject* wait_in_stream(PyObject* self, PyObject* timeout) {
  auto& its = stream_of(self);
  std::optional<sigpp::signal_info> info;
  const bool forever = timeout == nullptr || timeout == Py_None;
  const auto length =
      forever ? std::chrono::nanoseconds{} : to_duration(timeout, "timeout must be non-negative");
  {
    const without_gil others;
    if (forever) {
      info = its.next();
    } else {
      info = its.next_for(length);
    }
  }
  return info ? to_python(*info).release() : none();
}

PyObject* stream_next(PyObject* self, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    PyObject* timeout = nullptr;
    if (!PyArg_ParseTuple(arguments, "|O:next", &timeout)) return nullptr;
    return wait_in_stream(self, timeout);
  });
}

PyObject* iterate_stream(PyObject* self) {
  return guarded([&] { return wait_in_stream(self, nullptr); });
}

PyObject* stream_fileno(PyObject* self, PyObject*) {
  return guarded([&] { return PyLong_FromLong(stream_of(self).native_handle()); });
}

PyObject* stream_close(PyObject* self, PyObject*) {
  return guarded([&] {
    state_of<stream>(self).its.reset();
    return none();
  });
}

PyObject* exit_stream(PyObject* self, PyObject*) { return stream_close(self, nullptr); }

PyObject* stream_dropped(PyObject* self, void*) {
  return guarded([&] { return PyLong_FromUnsignedLongLong(stream_of(self).dropped()); });
}

PyObject* stream_itself(PyObject* self) { return ref::to(self).release(); }

PyMethodDef stream_methods[] = {
    {"next", stream_next, METH_VARARGS,
     "next($self, timeout=None, /)\n--\n\n"
     "The next arrival; waits for it, at most for timeout seconds. None when they have passed."},
    {"try_next", stream_try_next, METH_NOARGS,
     "try_next($self, /)\n--\n\nWhat is there already, or None."},
    {"fileno", stream_fileno, METH_NOARGS,
     "fileno($self, /)\n--\n\nReadable when try_next() may have something. Do not read it."},
    {"close", stream_close, METH_NOARGS,
     "close($self, /)\n--\n\nGive the signals back; what nobody has had is sent again."},
    {"__enter__", itself, METH_NOARGS, nullptr},
    {"__exit__", exit_stream, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
char stream_dropped_name[] = "dropped";
char stream_dropped_doc[] = "How many arrivals had no room.";
PyGetSetDef stream_attributes[] = {
    {stream_dropped_name, stream_dropped, nullptr, stream_dropped_doc, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
char stream_doc[] =
    "stream(signals, *, capacity=896, stall=False)\n--\n\n"
    "A queue of its own for some signals: each arrival of them, in order.";
PyType_Slot stream_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(new_stream)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate<stream>)},
    {Py_tp_methods, stream_methods},
    {Py_tp_getset, stream_attributes},
    {Py_tp_iter, reinterpret_cast<void*>(stream_itself)},
    {Py_tp_iternext, reinterpret_cast<void*>(iterate_stream)},
    {Py_tp_doc, stream_doc},
    {0, nullptr},
};
PyType_Spec stream_spec = {"sigpp._core.stream", sizeof(object<stream>), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, stream_slots};

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
  const with_gil gil;
  const ref f = ref::to(state->f);
  if (!f) return;
  if (!state->repeats) Py_CLEAR(state->f);
  checked(PyObject_CallFunctionObjArgs(f.get(), nullptr));
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

  static void forget(timeout* state) noexcept { delete state; }
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
      state.timer.cancel();
      if (!state.on_main || !state.expired) throw;
      PyErr_Clear();  // it is over already, and there will be no __exit__
      PyErr_SetString(PyExc_TimeoutError, "timed out");
      throw;
    }
    return ref::to(self).release();
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
    {
      const without_gil others;
      state.timer.cancel();
    }
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

// --- functions ----------------------------------------------------------------------------------

PyObject* sigqueue(PyObject*, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    int pid = 0;
    int signum = 0;
    int value = 0;
    if (!PyArg_ParseTuple(arguments, "iii:sigqueue", &pid, &signum, &value)) return nullptr;
    std::error_code error;
    sigpp::sigqueue(pid, signum, value, error);
    if (error) {
      errno = error.value();
      return PyErr_SetFromErrno(PyExc_OSError);
    }
    return none();
  });
}

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

PyObject* prepare_child(PyObject*, PyObject*) {
  if (!sigpp::prepare_child()) return PyErr_SetFromErrno(PyExc_OSError);
  return none();
}

PyMethodDef methods[] = {
    {"sigqueue", sigqueue, METH_VARARGS,
     "sigqueue($module, pid, signalnum, value, /)\n--\n\n"
     "Queue a signal with an int to process pid, which finds it in info.value."},
    {"sleep", sleep, METH_O,
     "sleep($module, seconds, /)\n--\n\n"
     "As time.sleep(); a timeout ends it on any thread."},
    {"prepare_child", prepare_child, METH_NOARGS,
     "prepare_child($module, /)\n--\n\n"
     "For subprocess's preexec_fn: the program starts with no signal blocked and none ignored "
     "that\n"
     "this one has not inherited."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void set_timed_out() {
  PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), nullptr);
  PyErr_SetNone(timed_out);
}

void add_objects(PyObject* module) {
  if (PyModule_AddFunctions(module, methods) != 0) throw python_error{};
  timed_out = checked(PyErr_NewExceptionWithDoc(
                          "sigpp.TimedOut",
                          "Raised where a timeout() is over; it comes out of the block as "
                          "TimeoutError.\nNo Exception, so that code that recovers from errors "
                          "does not swallow it.",
                          PyExc_BaseException, nullptr))
                  .release();
  add(module, "TimedOut", ref::to(timed_out));
  add(module, "subscription", checked(PyType_FromSpec(&subscription_spec)));
  add(module, "stream", checked(PyType_FromSpec(&stream_spec)));
  add(module, "timer", checked(PyType_FromSpec(&timer_spec)));
  add(module, "timeout", checked(PyType_FromSpec(&timeout_spec)));
}

}  // namespace sigpp_python
