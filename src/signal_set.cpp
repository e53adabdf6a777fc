#include <sigpp/signal_set.hpp>

#include <sigpp/names.hpp>

namespace sigpp::inline v1 {

#ifdef NSIG
static_assert(NSIG - 1 <= signal_set::capacity);
#endif

signal_set::signal_set(const sigset_t& native) noexcept {
  // sigismember answers -1 (EINVAL) for a number that this system does not have.
  for (int n = 1; n <= capacity; ++n) {
    if (sigismember(&native, n) == 1) word(n) |= bit(n);
  }
}

sigset_t signal_set::native() const noexcept {
  sigset_t out;
  sigemptyset(&out);
  for (int n : *this) sigaddset(&out, n);
  return out;
}

signal_set signal_set::valid() noexcept {
  static const signal_set known = [] {
    sigset_t all;
    sigfillset(&all);
    return signal_set{all};
  }();
  return known;
}

std::string to_string(const signal_set& set) {
  std::string text = "{";
  for (int n : set) {
    if (text.size() > 1) text += ", ";
    text += signal_name(n);
  }
  return text += "}";
}

}  // namespace sigpp::inline v1
