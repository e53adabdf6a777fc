// A Python object that holds one of C++.
#pragma once

#include <memory>

#include "python.hpp"

namespace sigpp_python {

// The object's memory; made by __new__, so `state` is never null.
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

// T::forget(T*): the object is gone; whether what it has asked for is, it decides.
template <class T>
void deallocate(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  if (T* const state = reinterpret_cast<object<T>*>(self)->state) T::forget(state);
  const auto give_back = reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free));
  give_back(self);
  Py_DECREF(type);
}

inline PyObject* itself(PyObject* self, PyObject*) { return ref::to(self).release(); }

}  // namespace sigpp_python
