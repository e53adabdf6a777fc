// Leaving queued signals to the kernel while there is no room for them: this thread's mask, and the
// list of those that do so.
#include <pthread.h>
#include <signal.h>

#include <bit>
#include <cstddef>
#include <cstdint>

#include "in_handler/delivery.hpp"

// sigemptyset, sigfillset, sigaddset, sigdelset, sigismember, pthread_sigmask: POSIX.1-2017 2.4.3
namespace sigpp::inline v1::in_handler {

[[gnu::tls_model("initial-exec")]] constinit thread_local const sigset_t* guarded_mask = nullptr;

namespace {

// Initial-exec, for the same reasons as attention: see check.hpp.
// Set once `held` has a signal in it.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool holding = false;
[[gnu::tls_model("initial-exec")]] constinit thread_local sigset_t held{};
// The standard ones in it; a bit for each, as the next.
[[gnu::tls_model("initial-exec")]] constinit thread_local std::uint64_t standard_held = 0;
// The program blocks the doorbell here; let in to release, and blocked again then.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool bell_let_in = false;
// The mask with which the thread went on when it held back: what other code may have saved.
[[gnu::tls_model("initial-exec")]] constinit thread_local sigset_t mask_when_held{};
// It was let go under another mask, and that one may come back. A ring that is blocked until then
// waits for that.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool mask_may_return = false;
// By which this thread will be let go.
[[gnu::tls_model("initial-exec")]] constinit thread_local process_state::held_thread* own_entry =
    nullptr;

// In a storm: standard signals that stay blocked between waits, which take them; a bit for each.
[[gnu::tls_model("initial-exec")]] constinit thread_local std::uint64_t kept = 0;

std::uint64_t bit(int signum) noexcept { return std::uint64_t{1} << (signum - 1); }

template <class F>
void for_each(std::uint64_t signals, F f) noexcept {
  for (; signals != 0; signals &= signals - 1) f(1 + std::countr_zero(signals));
}

// Until then a ring is for something else. Whoever lets it go frees the entry, and then rings.
bool is_listed() noexcept {
  return own_entry != nullptr &&
         own_entry->thread.load(std::memory_order_acquire) == this_thread() &&
         own_entry->kind.load(std::memory_order_relaxed) != process_state::held_thread::only_taken;
}

// `taken`: may be null. Published last: whoever releases must find it whole.
bool enter(process_state& process, unsigned kind, const siginfo_t* taken) noexcept {
  for (auto& entry : process.held_threads) {
    os::thread_id none = 0;
    if (entry.thread.load(std::memory_order_relaxed) != 0 ||
        !entry.thread.compare_exchange_strong(none, entry.being_written)) {
      continue;
    }
    if (taken != nullptr) copy_words(&entry.taken, taken, sizeof *taken);
    entry.kind.store(kind, std::memory_order_relaxed);
    entry.thread.store(this_thread(), std::memory_order_release);
    process.any_held.store(1);
    if (kind != process_state::held_thread::only_taken) own_entry = &entry;
    return true;
  }
  return false;
}

// false: nobody would let this thread go.
bool enlist(process_state& process, const siginfo_t* taken) noexcept {
  using entry = process_state::held_thread;
  const bool listed = holding || is_listed();
  if (taken == nullptr) return listed || enter(process, entry::only_held, nullptr);
  return enter(process, listed ? entry::only_taken : entry::with_taken, taken);
}

}  // namespace

// Queued signals may not merge, so when the queue is crowded this thread takes no more of them
// until the queue has drained: the kernel keeps them, and refuses the sender when its own queue is
// full. `taken`: the one that there was no room for, if so; it is written down. false: it is not.
bool hold_back(process_state& process, void* context, const siginfo_t* taken,
               int standard) noexcept {
  const sigset_t* const guarded = guarded_mask;
  if (context == nullptr && guarded == nullptr) return false;  // no mask to change
  if (!enlist(process, taken)) return false;
  if (!holding) {
    sigemptyset(&held);
    standard_held = 0;
  }
  sigset_t* const interrupted = context != nullptr ? &os::interrupted_mask(context) : nullptr;
  const sigset_t& programs = guarded != nullptr ? *guarded : *interrupted;
  const auto add = [&](int n) {
    sigaddset(&held, n);
    if (interrupted != nullptr) sigaddset(interrupted, n);
  };
  if (standard != 0 && sigismember(&programs, standard) == 0) {
    add(standard);
    standard_held |= bit(standard);
    process.held_standard.fetch_or(bit(standard));
  }
  for (int n = shared.first_queued; standard == 0 && n <= shared.last_queued; ++n) {
    if (!shared.recorded[static_cast<std::size_t>(n)].load(std::memory_order_relaxed)) continue;
    if (sigismember(&programs, n) == 0) add(n);
  }
  if (sigismember(&programs, SIGPP_DOORBELL_SIGNAL) == 1) {
    if (guarded == nullptr) {
      sigdelset(interrupted, SIGPP_DOORBELL_SIGNAL);
    }
    bell_let_in = true;
  }
  if (guarded == nullptr) copy_words(&mask_when_held, interrupted, sizeof *interrupted);
  holding = true;
  mask_may_return = false;
  return true;
}

namespace {

// Standard signals that this thread holds back, and that are to come again although it goes on to
// hold back others.
std::uint64_t no_longer_held() noexcept {
  if (!holding || standard_held == 0) return 0;
  return standard_held & ~shared.process.load(std::memory_order_acquire)->held_standard.load();
}

void let_in_standard(std::uint64_t signals, sigset_t* mask) noexcept {
  for_each(signals, [&](int n) {
    sigdelset(&held, n);
    sigdelset(&mask_when_held, n);
    if (mask != nullptr) sigdelset(mask, n);
  });
  standard_held &= ~signals;
}

void release_kept(sigset_t& mask) noexcept {
  for_each(kept, [&](int n) {
    sigdelset(&mask, n);
    sigdelset(&mask_when_held, n);
  });
  kept = 0;
}

}  // namespace

// A section or a handler of other code may have saved the mask, and put it back later, when nobody
// would release the thread. So a second ring waits, and is let in with that mask.
void release(void* context) noexcept {
  const bool listed = is_listed();
  if (guarded_mask != nullptr) {  // all stay blocked, and the guard will see to it
    if (listed) let_in_standard(no_longer_held(), nullptr);
    if (!listed) holding = bell_let_in = mask_may_return = false;
    return;
  }
  if (!holding && !mask_may_return && kept == 0) return;
  sigset_t& mask = os::interrupted_mask(context);
  const bool same = os::is_same(mask, mask_when_held);
  if (listed) {
    if (same) let_in_standard(no_longer_held(), &mask);
    if (same) release_kept(mask);
    return;
  }
  if (kept != 0) {  // they go with what was held back
    if (!holding) sigemptyset(&held);
    for_each(kept, [](int n) { sigaddset(&held, n); });
    kept = 0;
    holding = true;
  }
  bool some = holding;                             // of what was held back is in it
  for (int n = 1; n <= shared.last_queued; ++n) {  // which is the last of all
    some = some || (sigismember(&held, n) == 1 && sigismember(&mask, n) == 1);
  }
  for (int n = 1; (holding || same) && n <= shared.last_queued; ++n) {
    if (sigismember(&held, n) == 1) sigdelset(&mask, n);
  }
  holding = false;
  mask_may_return = some && !same;
  if (mask_may_return || bell_let_in) sigaddset(&mask, SIGPP_DOORBELL_SIGNAL);
  if (mask_may_return) {
    os::ring(this_thread());
  } else {
    bell_let_in = false;
  }
}

bool keep_for_later(process_state& process, const siginfo_t& info) noexcept {
  return enter(process, process_state::held_thread::only_taken, &info);
}

sigset_t* held_on_this_thread() noexcept { return holding ? &held : nullptr; }

bool keeps_something() noexcept { return holding || kept != 0; }

bool is_as_we_set_it(const sigset_t& mask) noexcept { return os::is_same(mask, mask_when_held); }

void keep_blocked(int signum) noexcept { kept |= bit(signum); }

std::uint64_t kept_blocked() noexcept { return kept; }

void keep_no_more(int signum) noexcept {
  if (signum >= shared.first_queued) return;
  kept &= ~bit(signum);
  standard_held &= ~bit(signum);
}

void keep_nothing() noexcept { kept = 0; }

sigset_t program_mask(sigset_t mask) noexcept {
  for_each(kept | (holding ? standard_held : 0), [&](int n) { sigdelset(&mask, n); });
  if (mask_may_return) sigdelset(&mask, SIGPP_DOORBELL_SIGNAL);
  if (bell_let_in) sigaddset(&mask, SIGPP_DOORBELL_SIGNAL);
  if (!holding) return mask;
  for (int n = shared.first_queued; n <= shared.last_queued; ++n) {
    if (sigismember(&held, n) == 1) sigdelset(&mask, n);
  }
  return mask;
}

sigset_t held_mask(sigset_t programs) noexcept {
  for_each(kept | (holding ? standard_held : 0), [&](int n) { sigaddset(&programs, n); });
  if (!holding) return programs;
  for (int n = shared.first_queued; n <= shared.last_queued; ++n) {
    if (sigismember(&held, n) == 1) sigaddset(&programs, n);
  }
  bell_let_in = sigismember(&programs, SIGPP_DOORBELL_SIGNAL) == 1;
  sigdelset(&programs, SIGPP_DOORBELL_SIGNAL);
  return programs;
}

void hold_nothing() noexcept {
  holding = bell_let_in = mask_may_return = false;
  kept = 0;
}

void release_this_thread() noexcept {
  if (!holding && !mask_may_return && kept == 0) return;
  sigset_t all;
  sigset_t mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);  // no handler may hold back more meanwhile
  mask = program_mask(mask);
  hold_nothing();
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

void mask_becomes(const sigset_t& mask) noexcept {
  if (holding || kept != 0) copy_words(&mask_when_held, &mask, sizeof mask);
}

void let_the_ring_in() noexcept {
  if (mask_may_return) return release_this_thread();
  if (no_longer_held() == 0 || guarded_mask != nullptr) return;
  // The ring has come in a section of other code.
  sigset_t all;
  sigset_t mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  let_in_standard(no_longer_held(), &mask);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

}  // namespace sigpp::inline v1::in_handler
