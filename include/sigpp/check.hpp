// The safe point for code that does not block.
#pragma once

#include <atomic>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

namespace detail {

// Nonzero: this thread has something to do at its next safe point. A thread starts with 1, so that
// its first safe point makes it known. Initial-exec: one load, and no allocation on first touch,
// which the signal handler could not do.
SIGPP_EXPORT extern constinit thread_local std::atomic<unsigned> attention
    [[gnu::tls_model("initial-exec")]];

SIGPP_EXPORT void run_pending();

}  // namespace detail

/// Runs the handlers of signals that have come for this thread. Put it into loops that compute.
/// Python's interpreter does this between bytecodes.
///
/// Costs one relaxed load and a branch when nothing is pending. Throws what the handlers throw.
/// While an exception unwinds (from a destructor) it runs nothing, and what is pending stays
/// pending. Threads: any; handlers of signal() run on the main thread. Not async-signal-safe.
inline void check() {
  // Not by attention.load(), whose `this` UBSan asks whether it is null; and GNU ld breaks that
  // very test for thread-locals of this model (it makes an `add` whose flags are used a `lea`).
  const auto* const word = reinterpret_cast<const unsigned*>(&detail::attention);
  if (__atomic_load_n(word, __ATOMIC_RELAXED) != 0) [[unlikely]] {
    detail::run_pending();
  }
}

}  // namespace sigpp::inline v1
