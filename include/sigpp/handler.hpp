// What is done when a signal comes: a function, SIG_DFL, SIG_IGN, or what other code installed.
#pragma once

#include <signal.h>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <sigpp/export.hpp>
#include <sigpp/signal_info.hpp>

namespace sigpp::inline v1 {

/// A function object that can handle a signal. The most informed form that compiles is called:
/// f(int, const signal_info&), else f(int), else f(const signal_info&), else f().
template <class F>
concept signal_callable = std::invocable<F&, int, const signal_info&> || std::invocable<F&, int> ||
    std::invocable<F&, const signal_info&> || std::invocable<F&>;

namespace detail {

class action {
 public:
  action() = default;
  action(const action&) = delete;
  action& operator=(const action&) = delete;
  virtual ~action() = default;
  virtual void call(const signal_info& info) = 0;
  [[nodiscard]] virtual bool same_as(const action& other) const noexcept { return this == &other; }
  [[nodiscard]] virtual const struct sigaction* native() const noexcept { return nullptr; }
  /// Where the plain function begins; nullptr if it is none.
  [[nodiscard]] virtual const void* function() const noexcept { return nullptr; }
};

template <class F>
class callable_action final : public action {
 public:
  explicit callable_action(F&& f) : f_(std::move(f)) {}
  explicit callable_action(const F& f) : f_(f) {}

  void call(const signal_info& info) override {
    if constexpr (std::invocable<F&, int, const signal_info&>) {
      std::invoke(f_, info.number(), info);
    } else if constexpr (std::invocable<F&, int>) {
      std::invoke(f_, info.number());
    } else if constexpr (std::invocable<F&, const signal_info&>) {
      std::invoke(f_, info);
    } else {
      std::invoke(f_);
    }
  }

  // Two handlers made from one plain function are the same handler, wherever each was made: the
  // library's and the program's templates have no types in common. Function objects have no `==`.
  [[nodiscard]] bool same_as(const action& other) const noexcept override {
    return this == &other || (function() != nullptr && function() == other.function());
  }
  [[nodiscard]] const void* function() const noexcept override {
    if constexpr (std::is_pointer_v<F>) {
      return reinterpret_cast<const void*>(f_);  // POSIX dlsym: a pointer to a function fits
    } else {
      return nullptr;
    }
  }

 private:
  F f_;
};

// Function pointers, member pointers, std::function and its kin can be empty; lambdas cannot.
template <class F>
concept can_be_empty = (std::is_pointer_v<F> || std::is_member_pointer_v<F> ||
                        !std::is_convertible_v<F, bool>)&&requires(const F& f) {
  f == nullptr;
};

}  // namespace detail

/// What is done when a signal comes. Python: the second argument of `signal.signal` and its result.
///
/// One of: SIG_DFL, SIG_IGN, a callable (deferred: it runs at safe points, never inside the signal
/// handler, a plain C function too), or "foreign": installed by code other than sigpp. Copies share
/// the one callable, as Python's references do. Any thread may hold and copy handlers.
class handler {
 public:
  /// SIG_DFL.
  handler() noexcept = default;

  /// SIG_DFL, SIG_IGN, or a plain function. Throws std::invalid_argument for SIG_ERR
  /// and SIG_HOLD.
  handler(void (*f)(int)) {  // NOLINT(google-explicit-constructor): signal(n, SIG_IGN) must read so
    if (f == SIG_ERR) throw_empty("SIG_ERR is not a handler");
#ifdef SIG_HOLD
    if (f == SIG_HOLD) throw_empty("SIG_HOLD is not a handler");
#endif
    if (f == SIG_IGN) {
      kind_ = kind::ignore;
    } else if (f != SIG_DFL) {
      kind_ = kind::callable;
      action_ = std::make_shared<detail::callable_action<void (*)(int)>>(f);
    }
  }

  /// Any function object that signal_callable allows, move-only ones too.
  /// Throws std::invalid_argument if it is empty (a null pointer, an empty std::function).
  // NOLINTBEGIN(google-explicit-constructor,bugprone-forwarding-reference-overload): see above
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, handler> &&
           !std::same_as<std::decay_t<F>, void (*)(int)> && signal_callable<std::decay_t<F>>)
      // above
      handler(F&& f)
      : kind_(kind::callable) {
    using stored = std::decay_t<F>;
    if constexpr (detail::can_be_empty<stored> && !std::is_function_v<std::remove_reference_t<F>>) {
      if (f == nullptr) throw_empty("the handler is an empty function");
    }
    action_ = std::make_shared<detail::callable_action<stored>>(std::forward<F>(f));
  }
  // NOLINTEND(google-explicit-constructor,bugprone-forwarding-reference-overload)

  /// Python refuses None too.
  handler(std::nullptr_t) = delete;

  [[nodiscard]] bool is_default() const noexcept { return kind_ == kind::system_default; }
  [[nodiscard]] bool is_ignore() const noexcept { return kind_ == kind::ignore; }
  [[nodiscard]] bool is_callable() const noexcept { return kind_ == kind::callable; }
  /// Installed by other code, through `sigaction` or `std::signal`. Give it to sigpp::signal() to
  /// put it back with its own mask and flags. Python: None.
  [[nodiscard]] bool is_foreign() const noexcept { return kind_ == kind::foreign; }

  /// Calls the function, on this thread, now: to chain to the handler that was there before.
  /// Throws what it throws; std::bad_function_call if this is not a callable.
  void operator()(const signal_info& info) const {
    if (!is_callable()) throw std::bad_function_call();
    action_->call(info);
  }
  void operator()(int signum, const signal_info& info) const {
    static_cast<void>(signum);
    (*this)(info);
  }
  void operator()(int signum) const { (*this)(signal_info{signum}); }

  /// Same kind, and the same function: copies of one handler, or one plain function.
  friend bool operator==(const handler& a, const handler& b) noexcept {
    if (a.kind_ != b.kind_ || a.is_default() || a.is_ignore()) return a.kind_ == b.kind_;
    return a.action_ == b.action_ || a.action_->same_as(*b.action_);
  }

  /// What other code installed, as `sigaction` gave it.
  SIGPP_EXPORT static handler from_native(const struct sigaction& native);
  /// The other way round, mask and flags too; nullptr unless it comes from there.
  [[nodiscard]] const struct sigaction* native_handle() const noexcept {
    return action_ ? action_->native() : nullptr;
  }

 private:
  enum class kind : unsigned char { system_default, ignore, callable, foreign };

  [[noreturn]] static void throw_empty(const char* why) {
    throw std::invalid_argument(std::string("sigpp::handler: ") + why);
  }

  kind kind_ = kind::system_default;
  std::shared_ptr<detail::action> action_;
};

}  // namespace sigpp::inline v1
