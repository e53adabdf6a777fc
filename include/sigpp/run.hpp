// Ctrl-C as in a Python script: an exception in the main thread, and an honest death.
#pragma once

#include <type_traits>
#include <utility>

#include <sigpp/export.hpp>
#include <sigpp/signal_info.hpp>

namespace sigpp::inline v1 {

/// Thrown by default_int_handler(). Python: KeyboardInterrupt.
/// Not a std::exception, as Python's is not an Exception: `catch (const std::exception&)` in code
/// that recovers from errors must not swallow the user's Ctrl-C.
class SIGPP_EXPORT keyboard_interrupt {
 public:
  [[nodiscard]] const char* what() const noexcept { return "keyboard interrupt"; }
};

/// Throws keyboard_interrupt: a handler for SIGINT. Python: `signal.default_int_handler`.
SIGPP_EXPORT [[noreturn]] void default_int_handler(int signum, const signal_info& info);

namespace detail {

// Catches SIGINT while it lives, if its action was SIG_DFL.
class run_scope {
 public:
  SIGPP_EXPORT run_scope();
  SIGPP_EXPORT ~run_scope();
  run_scope(const run_scope&) = delete;
  run_scope& operator=(const run_scope&) = delete;

 private:
  bool installed_;
};

SIGPP_EXPORT int interrupted_exit() noexcept;

}  // namespace detail

/// `int main() { return sigpp::run([] { ... }); }`: Ctrl-C is a keyboard_interrupt in the main
/// thread, as in a Python script. Takes SIGINT only if its action is SIG_DFL (it is SIG_IGN in what
/// a script has started with `&`), and gives it back at the end.
///
/// Returns what `f` returns (0 for void). Other exceptions pass through. When `f` ends by
/// keyboard_interrupt it returns 130, and the process, once it ends with its clean-up (destructors,
/// atexit, the program's statics), dies **by SIGINT**, so that shells and supervisors see the
/// truth; as PID 1, where SIGINT does nothing, it exits with 130.
///
/// Threads: call it on the main thread; elsewhere it cannot see the exception.
template <class F>
int run(F&& f) {
  const detail::run_scope scope;
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F&&>>) {
      std::forward<F>(f)();
      return 0;
    } else {
      return static_cast<int>(std::forward<F>(f)());
    }
  } catch (const keyboard_interrupt&) {
    return detail::interrupted_exit();
  }
}

}  // namespace sigpp::inline v1
