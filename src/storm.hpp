// When signals come to a thread faster than it can run a signal handler for each, it keeps them
// blocked, also between its waits: they take them without a handler, as network drivers go from
// interrupts to polling. See docs/decisions/0020-polling.md.
#pragma once

#include "mask.hpp"

namespace sigpp::inline v1::detail::storm {

/// Lives in each function that waits. While signals are kept blocked attention is raised between
/// the waits, for the safe points to look after them.
class attendance {
 public:
  attendance() noexcept;
  ~attendance();
  attendance(const attendance&) = delete;
  attendance& operator=(const attendance&) = delete;
};

/// A wait has taken `signum`, or none (0). Sees to what this thread keeps blocked when the guard
/// ends.
void after_wait(all_blocked& guard, int signum) noexcept;

/// At a safe point: takes what is kept blocked, or ends that if nothing has come.
void poll() noexcept;

/// This thread keeps nothing blocked any more, and what has come is written down: for whoever is
/// about to look, or to change who hears of it. Safe points run it then.
void end() noexcept;

/// A function is about to be called: its safe points look after what is kept blocked, too.
void look_within() noexcept;

/// A mask without what this thread keeps blocked.
sigset_t without_kept(sigset_t mask) noexcept;

}  // namespace sigpp::inline v1::detail::storm
