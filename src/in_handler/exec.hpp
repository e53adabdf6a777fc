// What a program that exec starts finds of signals. No handler runs this, but a child of fork or
// vfork may do no more than a handler may.
#pragma once

#include <signal.h>

#include <sigpp/exec.hpp>

namespace sigpp::inline v1::in_handler {

/// false in a child of vfork, whose memory is its parent's.
bool memory_is_ours() noexcept;

/// Does the system ignore it?
bool is_ignored(int signum) noexcept;

/// Shall the signal have its default action in the program that is started?
bool becomes_default(int signum, ignored_signals ignored) noexcept;

/// What the program has blocked on this thread, without what is held back.
sigset_t program_mask() noexcept;

/// Makes caught signals default, sends again what has not been handled, and sets the mask; null:
/// the program's. `send_parked_again`: what has left the queues.
void prepare_for_exec(const sigset_t* mask, ignored_signals ignored,
                      void (*send_parked_again)() noexcept) noexcept;

}  // namespace sigpp::inline v1::in_handler
