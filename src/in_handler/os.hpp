// What the signal handler needs of the system. One folder implements it; CMake chooses. Every
// function is async-signal-safe, each call in it with its proof beside it, and may change errno.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>

namespace sigpp::inline v1::in_handler::os {

/// Names a live thread of this process for ring(). 0: none.
using thread_id = std::uintptr_t;

thread_id current_thread() noexcept;

/// As users know a thread (`ps -L`, `gdb`); 0 where the system has no such number.
pid_t kernel_id(thread_id thread) noexcept;

/// Interrupts `thread`, carrying nothing: what there is to do stands in memory. A thread that has
/// ended, or whose id another one has now, takes no harm.
void ring(thread_id thread) noexcept;

/// What a ring looks like, for a system call that sends it.
siginfo_t ring_info() noexcept;

/// Whose is this arrival of the doorbell signal? `either`: the kernel had no room to say.
enum class arrival : unsigned char { ring, users, either, end_of_grace, nag };
arrival kind_of_doorbell(const siginfo_t& info) noexcept;

/// Did the interrupted instruction raise it, so that going on would only raise it again?
bool raised_by_instruction(const siginfo_t& info) noexcept;

/// The instruction that was interrupted; nullptr if the processor is not known. `context`:
/// ucontext_t.
const void* program_counter(const void* context) noexcept;

/// The interrupted thread is in sigpp_call(): if the system call has not happened, it goes on at
/// the exit. false: it is elsewhere, in a handler of other code that has interrupted sigpp_call().
bool leave_call(void* context) noexcept;

/// MemorySanitizer, if the program is built with it, shall take the handler's stack, below `frame`,
/// for initialised: it does not see what is written there, and its wrappers of C functions look.
void vouch_for_stack(const void* frame) noexcept;

/// Marks the timers whose expiry is a ring: their value.
extern const char timer_mark;

/// Marks the timer that ends a grace, and starts it. `timer`: platform::make_grace_timer()'s.
extern const char grace_mark;
void start_grace(void* timer, std::int64_t nanoseconds) noexcept;

/// Marks the timer that nags the main thread, and starts it. `timer`: platform::make_nag_timer()'s.
extern const char nag_mark;
void start_nag(void* timer, std::int64_t nanoseconds) noexcept;

/// The mask that the interrupted thread gets back when the handler returns.
sigset_t& interrupted_mask(void* context) noexcept;

/// Do they have the same signals?
bool is_same(const sigset_t& a, const sigset_t& b) noexcept;

/// Sends the same signal to this process again, with its siginfo as far as the system allows.
void send_again(const siginfo_t& info) noexcept;

/// Same, to this thread. false: the kernel's queue is full.
bool send_again_to_this_thread(const siginfo_t& info) noexcept;

/// sigaction(2), past interposers (ThreadSanitizer's), whose books are not the system's.
int set_action(int signum, const struct sigaction* action, struct sigaction* old) noexcept;

/// Takes back the SIGPIPE that a write of this thread has just raised, while it is blocked.
void take_back_sigpipe() noexcept;

/// CLOCK_MONOTONIC in nanoseconds.
std::int64_t now() noexcept;

}  // namespace sigpp::inline v1::in_handler::os
