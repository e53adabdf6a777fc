// What Python's module lacks, of signals: subscriptions, streams, sigqueue.
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "core.hpp"
#include "object.hpp"

namespace sigpp_python {

namespace {

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
      in_python([&] {
        const ref kept = ref::to(f);
        const ref told = to_python(info);
        checked(PyObject_CallFunctionObjArgs(f, told.get(), nullptr));
      });
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

// Who waits in one has it to himself; who closes it meanwhile ends the wait, and then it is he who
// destroys it. Changed with the GIL.
struct stream {
  std::optional<sigpp::signal_stream> its;
  bool closed = false;
  bool in_use = false;
  sigpp::thread_handle waiter;

  void hold() {
    throw_if(in_use ? std::make_error_code(std::errc::device_or_resource_busy) : std::error_code());
    in_use = true;
  }
  void let_go() noexcept {
    in_use = false;
    if (closed) its.reset();
  }

  // At the end of the interpreter what has not been read is forgotten, as it is in C++.
  static void forget(stream* state) noexcept {
    if (!has_ended()) delete state;
  }
};

class stream_use {
 public:
  explicit stream_use(stream& of) : of_(of) { of.hold(); }
  ~stream_use() { of_.let_go(); }
  stream_use(const stream_use&) = delete;
  stream_use& operator=(const stream_use&) = delete;

 private:
  stream& of_;
};

thread_local stream* waited_for = nullptr;  // in a call of this thread's
struct wait_is_over {};

// Not where Python runs within that call: there it is for the handler to end first.
void end_wait() {
  if (!gil_mark::has()) leave_what_is_closed();
}

class stream_wait {
 public:
  explicit stream_wait(stream& of) : use_(of), outer_(std::exchange(waited_for, &of)) {
    of.waiter = sigpp::this_thread::handle();
  }
  ~stream_wait() {
    waited_for->waiter = {};
    waited_for = outer_;
  }
  stream_wait(const stream_wait&) = delete;
  stream_wait& operator=(const stream_wait&) = delete;

 private:
  stream_use use_;
  stream* outer_;
};

stream& open_stream(PyObject* self) {
  auto& state = state_of<stream>(self);
  if (state.closed) {
    PyErr_SetString(PyExc_ValueError, "the stream is closed");
    throw python_error{};
  }
  return state;
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
    stream& state = open_stream(self);
    const stream_use use(state);
    const auto info = state.its->try_next();
    return info ? to_python(*info).release() : none();
  });
}

// Empty: the time has passed, or the stream has been closed.
std::optional<sigpp::signal_info> wait_in_stream(PyObject* self, PyObject* timeout) {
  stream& state = open_stream(self);
  const bool forever = timeout == nullptr || timeout == Py_None;
  const auto length =
      forever ? std::chrono::nanoseconds{} : to_duration(timeout, "timeout must be non-negative");
  const stream_wait wait(state);
  try {
    const without_gil others;
    if (forever) return state.its->next();
    return state.its->next_for(length);
  } catch (const wait_is_over&) {
    return {};
  }
}

PyObject* stream_next(PyObject* self, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    PyObject* timeout = nullptr;
    if (!PyArg_ParseTuple(arguments, "|O:next", &timeout)) return nullptr;
    if (const auto info = wait_in_stream(self, timeout)) return to_python(*info).release();
    open_stream(self);
    return none();
  });
}

// To close it ends the loop.
PyObject* iterate_stream(PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (state_of<stream>(self).closed) return nullptr;
    const auto info = wait_in_stream(self, nullptr);
    return info ? to_python(*info).release() : nullptr;
  });
}

PyObject* stream_fileno(PyObject* self, PyObject*) {
  return guarded([&] {
    stream& state = open_stream(self);
    const stream_use use(state);
    return PyLong_FromLong(state.its->native_handle());
  });
}

PyObject* stream_close(PyObject* self, PyObject*) {
  return guarded([&] {
    auto& state = state_of<stream>(self);
    state.closed = true;
    if (!state.in_use) state.its.reset();
    sigpp::interrupt(state.waiter, end_wait);
    return none();
  });
}

// For asyncio, which waits without a call of ours.
PyObject* stream_hold(PyObject* self, PyObject*) {
  return guarded([&] {
    open_stream(self).hold();
    return none();
  });
}

PyObject* stream_let_go(PyObject* self, PyObject*) {
  return guarded([&] {
    state_of<stream>(self).let_go();
    return none();
  });
}

PyObject* stream_dropped(PyObject* self, void*) {
  return guarded([&] { return PyLong_FromUnsignedLongLong(open_stream(self).its->dropped()); });
}

PyObject* stream_closed(PyObject* self, void*) {
  return PyBool_FromLong(state_of<stream>(self).closed ? 1 : 0);
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
     "close($self, /)\n--\n\n"
     "Give the signals back; what nobody has had is sent again. Ends the wait of another thread."},
    {"_hold", stream_hold, METH_NOARGS, nullptr},
    {"_let_go", stream_let_go, METH_NOARGS, nullptr},
    {"__enter__", itself, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
char stream_dropped_name[] = "dropped";
char stream_dropped_doc[] = "How many arrivals had no room.";
char stream_closed_name[] = "closed";
char stream_closed_doc[] = "Has close() been called?";
PyGetSetDef stream_attributes[] = {
    {stream_dropped_name, stream_dropped, nullptr, stream_dropped_doc, nullptr},
    {stream_closed_name, stream_closed, nullptr, stream_closed_doc, nullptr},
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

// --- sigqueue -----------------------------------------------------------------------------------

PyObject* sigqueue(PyObject*, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    int pid = 0;
    int signum = 0;
    int value = 0;
    if (!PyArg_ParseTuple(arguments, "iii:sigqueue", &pid, &signum, &value)) return nullptr;
    std::error_code error;
    sigpp::sigqueue(pid, signum, value, error);
    throw_if(error);
    return none();
  });
}

PyMethodDef methods[] = {
    {"sigqueue", sigqueue, METH_VARARGS,
     "sigqueue($module, pid, signalnum, value, /)\n--\n\n"
     "Queue a signal with an int to process pid, which finds it in info.value."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void leave_what_is_closed() {
  if (waited_for != nullptr && waited_for->closed) throw wait_is_over{};
}

void add_arrivals(PyObject* module) {
  if (PyModule_AddFunctions(module, methods) != 0) throw python_error{};
  add(module, "subscription", checked(PyType_FromSpec(&subscription_spec)));
  add(module, "stream", checked(PyType_FromSpec(&stream_spec)));
}

}  // namespace sigpp_python
