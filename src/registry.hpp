// Who handles which signal.
//
// Thread safety: every member, from any thread, never in a signal handler. User code (a callable,
// its destructor) never runs under the lock.
#pragma once

#include <array>
#include <list>
#include <mutex>

#include <sigpp/handler.hpp>

#include "in_handler/mailbox.hpp"

namespace sigpp::inline v1 {

class registry {
 public:
  /// Never destroyed: signals come until the last instruction.
  static registry& instance() noexcept;

  /// Installs `h`; returns what was there. `signum` is catchable.
  handler set(int signum, handler h);

  /// What the system would do now. `signum` is valid.
  handler get(int signum);

  /// What was given to set() last, for an arrival that waits.
  handler current(int signum);

  /// Gives every signal that we handle its default action. For exit; once.
  void reset_all() noexcept;

  /// Held over fork(), so that the child finds the table whole.
  std::mutex& mutex() noexcept { return mutex_; }

 private:
  handler describe(int signum, const struct sigaction& installed);
  void keep_previous(int signum, const struct sigaction& action);
  void install(int signum, const handler& h);
  void install_doorbell();

  std::mutex mutex_;
  std::array<handler, in_handler::mailbox::signals> table_;
  std::list<struct sigaction> kept_;  // what in_handler::shared.previous points to; it only grows
};

}  // namespace sigpp::inline v1
