// The memory that the signal handler works on.
#pragma once

#include <signal.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "in_handler/mailbox.hpp"
#include "in_handler/os.hpp"

namespace sigpp::inline v1::in_handler {

/// What a forked child must not share with its parent. Lives in pages that are zero in the child
/// from the instant of the fork, so everything in it must be valid when zero.
struct process_state {
  /// The main dispatcher: its thread, how to reach it, and its queue.
  struct {
    std::atomic<std::atomic<unsigned>*> attention;  // null: its thread has not reached sigpp yet
    std::atomic<os::thread_id> thread;
    std::atomic<unsigned> waiting;  // it blocks, or is about to, and must be rung
    mailbox queue;
  } main;

  /// See signal_statistics. The handler counts what it receives, the dispatcher the rest.
  struct counters {
    std::atomic<std::uint64_t> received, handled, merged, discarded, reraised;
  };
  std::array<counters, mailbox::signals> counts;

  /// Threads whose masks hold back queued signals on our account until the queue has drained.
  std::array<std::atomic<os::thread_id>, 128> held_threads;
  std::atomic<unsigned> any_held;
};

/// What stays over a fork.
struct shared_state {
  std::atomic<process_state*> process;  // set before the first handler is installed, never changed
  std::array<std::atomic<const struct sigaction*>, mailbox::signals> previous;  // immortal, or null
  std::array<std::atomic<bool>, mailbox::signals>
      recorded;      // our handler is installed for deferral
  int first_queued;  // SIGRTMIN and SIGRTMAX are no constants
  int last_queued;
};
extern constinit shared_state shared;

static_assert(std::atomic<process_state*>::is_always_lock_free);
static_assert(std::atomic<os::thread_id>::is_always_lock_free);
static_assert(std::atomic<unsigned>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);

/// The one C-level handler, for every signal and for the doorbell.
/// Installed with SA_SIGINFO | SA_ONSTACK and a full mask, so it is never nested in itself.
extern "C" void sigpp_on_signal(int signum, siginfo_t* info, void* context) noexcept;

/// Unblocks, on this thread, what the handler has held back. Outside handlers.
void release_this_thread() noexcept;

/// This thread's id, remembered. After a fork: forget_this_thread().
os::thread_id this_thread() noexcept;
void forget_this_thread() noexcept;

}  // namespace sigpp::inline v1::in_handler
