#include "mask.hpp"

#include <sigpp/mask.hpp>

#include <cerrno>

#include <sigpp/check.hpp>

#include "errors.hpp"
#include "in_handler/delivery.hpp"
#include "storm.hpp"

namespace sigpp::inline v1 {

namespace detail {

all_blocked::all_blocked() noexcept {
  in_handler::let_the_ring_in();
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &program_);
  if (in_handler::keeps_something()) {
    is_section_of_others_ = !in_handler::is_as_we_set_it(program_);
    program_ = in_handler::program_mask(program_);
  }
  outermost_ = in_handler::guarded_mask == nullptr;
  if (outermost_) in_handler::guarded_mask = &program_;
}

sigset_t all_blocked::mask() const noexcept {
  return in_handler::keeps_something() ? in_handler::held_mask(program_) : program_;
}

all_blocked::~all_blocked() {
  if (outermost_) in_handler::guarded_mask = nullptr;
  const sigset_t after = mask();
  if (!is_section_of_others_) in_handler::mask_becomes(after);
  ::pthread_sigmask(SIG_SETMASK, &after, nullptr);
}

signal_set change_mask(int how, const signal_set& signals) noexcept {
  all_blocked guard;
  const signal_set old(guard.program_mask());
  signal_set now = signals;
  if (how == SIG_BLOCK) now |= old;
  if (how == SIG_UNBLOCK) now = old - signals;
  guard.program_mask() = now.native();
  // What the program blocks itself must not be unblocked with what is held back.
  if (sigset_t* const held = in_handler::held_on_this_thread()) {
    *held = (signal_set(*held) - now).native();
  }
  if (in_handler::keeps_something()) {
    for (int n : now) in_handler::keep_no_more(n);
  }
  if (how != SIG_BLOCK) {  // what it lets in comes in
    in_handler::end_row();
    in_handler::keep_nothing();
  }
  return old;
}

}  // namespace detail

signal_set pthread_sigmask(int how, const signal_set& signals, std::error_code& error) {
  error.clear();
  const bool known = how == SIG_BLOCK || how == SIG_UNBLOCK || how == SIG_SETMASK;
  if (!known || !(signals - valid_signals()).empty()) {
    error = std::make_error_code(std::errc::invalid_argument);
    return {};
  }
  const signal_set old = detail::change_mask(how, signals);
  check();
  return old;
}

signal_set pthread_sigmask(int how, const signal_set& signals) {
  for (int n : signals) require_valid(n, "pthread_sigmask");
  std::error_code error;
  const signal_set old = pthread_sigmask(how, signals, error);
  if (error) throw_errno(error.value(), "pthread_sigmask", "how = " + std::to_string(how));
  return old;
}

signal_set sigpending(std::error_code& error) {
  error.clear();
  detail::storm::end();
  sigset_t pending;
  sigemptyset(&pending);
  if (::sigpending(&pending) != 0) error.assign(errno, std::generic_category());
  return signal_set(pending);
}

signal_set sigpending() {
  std::error_code error;
  const signal_set pending = sigpending(error);
  if (error) throw_errno(error.value(), "sigpending", "signals that wait");
  return pending;
}

signal_mask::signal_mask(const signal_set& signals) {
  for (int n : signals) require_valid(n, "signal_mask");
  added_ = signals - detail::change_mask(SIG_BLOCK, signals);
}

signal_mask::~signal_mask() { detail::change_mask(SIG_UNBLOCK, added_); }

}  // namespace sigpp::inline v1
