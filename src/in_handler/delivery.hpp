// The memory that the signal handler works on.
#pragma once

#include <signal.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "in_handler/claims.hpp"
#include "in_handler/mailbox.hpp"
#include "in_handler/os.hpp"

namespace sigpp::inline v1::in_handler {

/// Where arrivals for one dispatcher are put, and how its thread is told. Never freed. Lives in
/// pages that are zero in a forked child from the instant of the fork: zero is valid, and empty.
struct station {
  std::atomic<std::atomic<unsigned>*> attention;  // null: its thread has not reached sigpp yet
  std::atomic<os::thread_id> thread;
  mailbox queue;
};

/// One station that wants a signal. Immortal; `to` is null while nobody uses it.
struct route {
  std::atomic<station*> to;
  std::atomic<route*> next;
};

/// What else a forked child must not share with its parent; in such pages, too.
struct process_state {
  /// Set while this process knows of itself: cleared in a child that no pthread_atfork has heard
  /// of.
  std::atomic<unsigned> known;

  /// See signal_statistics. The handler counts what it receives, the dispatchers the rest.
  struct counters {
    std::atomic<std::uint64_t> received, handled, merged, discarded, reraised, refused;
  };
  std::array<counters, mailbox::signals> counts;

  claims shared_arrivals;

  /// Threads whose masks hold back queued signals on our account until the queues have drained.
  std::array<std::atomic<os::thread_id>, 128> held_threads;
  std::atomic<unsigned> any_held;

  /// How many handlers are running now, in two generations: see wait_for_handlers_in_progress().
  std::atomic<unsigned> generation;
  std::array<std::atomic<unsigned>, 2> running;

  /// set_wakeup_fd: the descriptor + 1 (0: none), and what a write to it ended with.
  std::atomic<int> wakeup_fd;
  std::atomic<unsigned> wakeup_tells_when_full;
  std::atomic<int> wakeup_error;
};

/// What stays over a fork.
struct shared_state {
  std::atomic<process_state*> process;  // set before the first handler is installed, never changed
  std::atomic<station*> main;           // so is this
  std::array<std::atomic<route*>, mailbox::signals> routes;
  std::array<std::atomic<const struct sigaction*>, mailbox::signals> previous;  // immortal, or null
  std::array<std::atomic<unsigned>, mailbox::signals>
      recorded;      // our handler is installed for deferral
  int first_queued;  // SIGRTMIN and SIGRTMAX are no constants
  int last_queued;
};
extern constinit shared_state shared;

static_assert(std::atomic<station*>::is_always_lock_free);
static_assert(std::atomic<os::thread_id>::is_always_lock_free);
static_assert(std::atomic<unsigned>::is_always_lock_free);
static_assert(std::atomic<int>::is_always_lock_free);

/// The one C-level handler, for every signal and for the doorbell.
/// Installed with SA_SIGINFO | SA_ONSTACK and a full mask, so it is never nested in itself.
extern "C" void sigpp_on_signal(int signum, siginfo_t* info, void* context) noexcept;

/// Puts an arrival where it is wanted: the handler's work, for a thread that has taken the signal
/// by a system call instead. `context`: of the handler, or null. false: nobody wants it. In the
/// handler zone.
bool deliver(const siginfo_t& info, void* context) noexcept;

/// Raises the attention of the station's thread, and rings it if it was not raised. In the handler
/// zone.
void wake(station& to) noexcept;

/// What the handler holds back on this thread. Outside handlers, with every signal blocked.
sigset_t* held_on_this_thread() noexcept;

/// Unblocks, on this thread, what the handler has held back. Outside handlers.
void release_this_thread() noexcept;

/// The program changes its mask while the handler holds back on this thread. Outside handlers, with
/// every signal blocked.
void mask_becomes(const sigset_t& mask) noexcept;

/// At a safe point the doorbell must be heard again, even if a ring waits for a mask of other code.
void let_the_ring_in() noexcept;

/// This thread's id, remembered. After a fork: forget_this_thread().
os::thread_id this_thread() noexcept;
void forget_this_thread() noexcept;

}  // namespace sigpp::inline v1::in_handler
