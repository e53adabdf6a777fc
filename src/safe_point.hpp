// Running handlers on this thread, and blocking until there is something to run.
#pragma once

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <optional>

namespace sigpp::inline v1::detail {

/// Nothing may run here now: an exception unwinds, a shield is up, or exit has begun.
bool is_deferred() noexcept;

/// How many shields this thread is under.
extern constinit thread_local unsigned shields [[gnu::tls_model("initial-exec")]];

/// Runs what is pending for this thread, which has safe points and is not deferred: signals,
/// timers, what other threads have asked for, timeouts. Returns how many functions were called, or
/// arrivals handled. Throws what they throw.
unsigned dispatch_here();

/// check(), where this thread is about to wait: what a storm has made it keep blocked stays so.
void check_before_wait();

/// Of set_wakeup_fd: what had no room. On the main thread.
void write_late_wakeups();

/// Of the timers that run here. max(): there is none.
std::chrono::steady_clock::time_point earliest_timer_here();

/// Lowers attention for 50 us.
void attend_later();

/// Is there something that dispatch_here() would run? Lowers attention if not.
bool anything_pending_here();

/// How many arrivals have ever been put aside here because their handler was running.
std::uint64_t put_aside_here();

/// Blocks this thread, which has safe points, until attention is raised, or any signal handler has
/// run on it, or `deadline` has passed. It may return early.
/// `mask`: the thread's while it waits, if not its own.
void wait_for_attention(std::optional<std::chrono::steady_clock::time_point> deadline,
                        const sigset_t* mask = nullptr);

}  // namespace sigpp::inline v1::detail
