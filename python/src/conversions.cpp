// Between Python's objects and sigpp's.
#include <chrono>
#include <cmath>

#include "core.hpp"

namespace sigpp_python {

namespace {

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

PyTypeObject* info_type = nullptr;  // never freed

}  // namespace

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

int to_int(PyObject* number) {
  const long value = PyLong_AsLong(number);
  if (value == -1 && PyErr_Occurred() != nullptr) throw python_error{};
  if (value != static_cast<int>(value)) {
    PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C int");
    throw python_error{};
  }
  return static_cast<int>(value);
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

void add_conversions(PyObject* module) {
  info_type = PyStructSequence_NewType(&info_description);
  if (info_type == nullptr) throw python_error{};
  add(module, "signal_info", ref::to(reinterpret_cast<PyObject*>(info_type)));
}

}  // namespace sigpp_python
