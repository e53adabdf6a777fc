// The memory that the signal handler works on.
#pragma once

#include <signal.h>
#include <sys/types.h>

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
  // Null: nobody waits here, or its thread has not reached sigpp yet.
  std::atomic<std::atomic<unsigned>*> attention;
  std::atomic<os::thread_id> thread;
  std::atomic<int> doorbell;          // a descriptor to write to, + 1; 0: none
  std::atomic<unsigned> is_readable;  // it has been written to
  mailbox queue;
};

/// One station that wants a signal. Immortal; `to` is null while nobody uses it.
struct route {
  std::atomic<station*> to;
  std::atomic<route*> next;
};

/// What else a forked child must not share with its parent; in such pages, too.
struct process_state {
  /// Its id. 0 in a child that no pthread_atfork has heard of. A child of vfork sees its parent's.
  std::atomic<pid_t> owner;

  /// See signal_statistics. The handler counts what it receives, the dispatchers the rest.
  struct counters {
    std::atomic<std::uint64_t> received, handled, merged, discarded, reraised, refused, dropped,
        held_back, taken_elsewhere, high_water;
  };
  std::array<counters, mailbox::signals> counts;

  claims shared_arrivals;

  /// What has asked this process to end: its time (us) << 7 | the signal; 0: nothing.
  std::atomic<std::uint64_t> asked;
  /// For os::start_grace(), or null.
  std::atomic<void*> grace_timer;

  /// For os::start_nag(), or null; and whether it runs.
  std::atomic<void*> nag_timer;
  std::atomic<unsigned> nagging;

  /// A thread whose mask holds back queued signals on our account until the queues have drained;
  /// and one that it had taken when there was no room for it anywhere.
  struct held_thread {
    static constexpr os::thread_id being_written = 1;
    enum : unsigned { only_held, with_taken, only_taken };
    std::atomic<os::thread_id> thread;  // 0: free
    std::atomic<unsigned> kind;
    siginfo_t taken;
  };
  std::array<held_thread, 4096> held_threads;
  std::atomic<unsigned> any_held;
  /// The standard signals that threads hold back in a storm; a bit for each.
  std::atomic<std::uint64_t> held_standard;
  /// Somebody drains the kernel's queue; and how often that has been done since.
  std::atomic<unsigned> draining;
  std::atomic<unsigned> batches;

  /// How many handlers are running now, in two generations: see wait_for_handlers_in_progress().
  std::atomic<unsigned> generation;
  std::array<std::atomic<unsigned>, 2> running;

  /// set_wakeup_fd: the descriptor + 1 (0: none), and what a write to it ended with.
  std::atomic<int> wakeup_fd;
  std::atomic<unsigned> wakeup_is_socket;
  std::atomic<unsigned> wakeup_tells_when_full;
  std::atomic<int> wakeup_error;
  /// Bytes that the descriptor had no room for, by their number; and whether there are any.
  std::array<std::atomic<unsigned>, mailbox::signals> unwritten;
  std::atomic<unsigned> any_unwritten;
};

/// What stays over a fork.
struct shared_state {
  std::atomic<process_state*> process;  // set before the first handler is installed, never changed
  std::atomic<station*> main;           // so is this
  std::array<std::atomic<route*>, mailbox::signals> routes;
  std::array<std::atomic<const struct sigaction*>, mailbox::signals> previous;  // immortal, or null
  std::array<std::atomic<unsigned>, mailbox::signals>
      recorded;  // our handler is installed for deferral
  /// Of a shutdown_source: nonzero if the signal asks to end.
  std::array<std::atomic<unsigned>, mailbox::signals> asks;
  std::array<std::atomic<unsigned>, mailbox::signals> restarts;  // siginterrupt(n, false)
  std::atomic<void (*)()> runtime;                               // see <sigpp/runtime.hpp>, or null
  std::atomic<std::int64_t> grace;                               // ns; 0: none
  std::atomic<std::int64_t>
      repeats;       // ns, in which a second one is the same request; < 0: for ever
  int first_queued;  // SIGRTMIN and SIGRTMAX are no constants
  int last_queued;
  /// When sigpp first changed the action.
  enum : unsigned { unchanged, caught_or_default, ignored };
  std::array<std::atomic<unsigned>, mailbox::signals> was;
};
extern constinit shared_state shared;

static_assert(std::atomic<station*>::is_always_lock_free);
static_assert(std::atomic<os::thread_id>::is_always_lock_free);
static_assert(std::atomic<unsigned>::is_always_lock_free);
static_assert(std::atomic<int>::is_always_lock_free);

/// The one C-level handler, for every signal and for the doorbell.
/// Installed with SA_SIGINFO | SA_ONSTACK and a full mask, so it is never nested in itself.
/// In a child of vfork it records nothing: the signal does what it would do to the program that the
/// child is about to start.
extern "C" void sigpp_on_signal(int signum, siginfo_t* info, void* context) noexcept;

/// Puts an arrival where it is wanted: the handler's work, for a thread that has taken the signal
/// by a system call instead. `context`: of the handler, or null. false: nobody wants it. In the
/// handler zone.
bool deliver(const siginfo_t& info, void* context) noexcept;

/// Queued signals may not merge, so when a queue is crowded this thread takes no more of them until
/// all have drained: the kernel keeps them, and refuses the sender when its own queue is full.
/// `context`: of the handler, or null where every signal is blocked. `taken`: null, or the one that
/// there was no room for; it is written down. `standard`: also this signal, or 0 for none. false:
/// neither. In the handler zone, as the next.
bool hold_back(process_state& process, void* context, const siginfo_t* taken,
               int standard = 0) noexcept;
/// The doorbell has rung: this thread takes them again.
void release(void* context) noexcept;

/// Writes a taken signal down for whoever releases the threads that hold back. false: there is no
/// room for that either. In the handler zone.
bool keep_for_later(process_state& process, const siginfo_t& info) noexcept;

/// Raises the attention of the station's thread, and rings it if it was not raised. In the handler
/// zone.
void wake(station& to) noexcept;

/// Tells the language runtime, if this is the main thread and check() has something to do. In the
/// handler zone, and outside.
void tell_runtime() noexcept;

/// Tries again to write the bytes that the wakeup descriptor had no room for. false: there is still
/// none. With every signal blocked.
bool write_unwritten(process_state& process) noexcept;

/// The default action of a signal that ends the process, now; if that does nothing, as for process
/// 1, _exit(128 + its number). In the handler zone.
[[noreturn]] void end_process(const siginfo_t& info) noexcept;

/// The grace of a shutdown_source is over: ends the process, unless it has gone meanwhile. In the
/// handler zone.
void end_of_grace() noexcept;

/// This thread is an interpreter's, which has looked at its flag perhaps before tell_runtime() has
/// set it, and blocks now: let it be told again.
void nag_runtime() noexcept;

/// A timer of sigpp's that is no thread's: true. In the signal handler, or as the handler would.
bool answer_timer(os::arrival kind) noexcept;

/// What the handler holds back on this thread. Outside handlers, with every signal blocked.
sigset_t* held_on_this_thread() noexcept;
/// Where sigpp blocks every signal: what the program had blocked. Else null.
extern constinit thread_local const sigset_t* guarded_mask [[gnu::tls_model("initial-exec")]];

/// `mask`, of this thread, as it is without holding back. With every signal blocked, as the next.
sigset_t program_mask(sigset_t mask) noexcept;
/// The reverse: the mask for this thread that holds back, too.
sigset_t held_mask(sigset_t programs) noexcept;
/// The thread's mask is being set without what was held back.
void hold_nothing() noexcept;

/// A debugger wants to see these on their way to a handler.
bool is_sent_by_terminals(int signum) noexcept;

/// May a storm of this signal be left to the kernel? Nobody has to hear of each at once.
bool may_wait(const process_state& process, int signum) noexcept;

/// In a storm: `signum`, a standard signal, stays blocked on this thread until its next ring. With
/// every signal blocked, as the next five; the mask that the thread goes on with is held_mask().
void keep_blocked(int signum) noexcept;
/// A bit for each: 1 is signal 1's.
std::uint64_t kept_blocked() noexcept;
/// Nor is it held back: it is blocked on the program's account, or on nobody's.
void keep_no_more(int signum) noexcept;
void keep_nothing() noexcept;
/// No section of other code, which will put back what it has saved, has changed it since.
bool is_as_we_set_it(const sigset_t& mask) noexcept;
/// Is held_mask() another one than the program's?
bool keeps_something() noexcept;

/// So many in a row are a storm.
inline constexpr std::uint32_t storm = 64;
/// How many signals have come to this thread in a row, each no more than 20 us after the one
/// before.
std::uint32_t in_a_row() noexcept;
/// The number of the last one.
int last_in_a_row() noexcept;
/// The next one is the first of its row.
void end_row() noexcept;

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
