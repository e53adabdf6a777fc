// The queue between the signal handler and the thread that runs the handlers.
//
// Thread safety: post() from any number of signal handlers at once, on any threads; take() from one
// thread at a time, outside handlers.
// Invariants:
//   1. All bytes zero is a valid, empty mailbox: the kernel makes a forked child's by wiping the
//   page,
//      at the instant of the fork, whatever any thread was doing to it.
//   2. After post() returns `stored` or `merged`, a take() that begins later finds the arrival, or
//   one
//      of the same signal that stands for it. Nothing is dropped, except by drop_oldest().
//   3. Records come out in the order of their tickets.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <sigpp/signal_set.hpp>

#include "in_handler/claims.hpp"

namespace sigpp::inline v1::in_handler {

/// One arrival, as the handler writes it down.
struct record {
  siginfo_t info;
  const void* program_counter;
  std::int64_t time;   // CLOCK_MONOTONIC, ns
  claims::arrival id;  // of an arrival that several dispatchers may get; 0: only one does
  pid_t thread;        // 0: unknown
  std::uint32_t merged;
};
static_assert(std::is_trivially_copyable_v<record>);

// Plain words, not memcpy: sanitizers replace memcpy by code that must not run in a handler, and
// compilers turn plain copies into memcpy, but never atomic ones.
inline void copy_words(void* to, const void* from, std::size_t bytes) noexcept {
  using word [[gnu::may_alias]] = unsigned long;
  auto* out = static_cast<word*>(to);
  const auto* in = static_cast<const word*>(from);
  for (std::size_t i = 0; i < bytes / sizeof(*out); ++i) {
    __atomic_store_n(out + i, __atomic_load_n(in + i, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
  }
}

class mailbox {
 public:
  static constexpr std::size_t signals = signal_set::capacity + 1;
  static constexpr std::uint64_t capacity = 1024;
  /// From here on the queue is crowded: standard signals merge, queued ones are held back. What is
  /// above is the reserve: one record of each standard signal, and one per thread of the queued
  /// ones.
  static constexpr std::uint64_t crowded_at = capacity - 128;

  /// From here on no queued one should be posted, if another dispatcher is to get it too: one that
  /// is refused by some would be lost for them.
  static constexpr std::uint64_t full_at = capacity - 64;

  enum class posted : unsigned char { stored, stored_crowded, merged, refused };

  /// From `limit` records on it is crowded (0: as above). `lossy`: drop_oldest() may be called.
  /// Before the first post(), and again in a forked child.
  void configure(std::uint64_t limit, bool lossy) noexcept {
    limit_.store(limit, std::memory_order_relaxed);
    lossy_.store(lossy ? 1 : 0, std::memory_order_relaxed);
    dropped_.store(0, std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_lossy() const noexcept {
    return lossy_.load(std::memory_order_relaxed) != 0;
  }
  [[nodiscard]] std::uint64_t limit() const noexcept {
    const std::uint64_t limit = limit_.load(std::memory_order_relaxed);
    return limit != 0 ? limit : crowded_at;
  }
  [[nodiscard]] bool is_crowded() const noexcept { return size() >= limit(); }
  /// Is half of it full of this signal's records?
  [[nodiscard]] bool has_many_of(int signum) const noexcept {
    return pending_[static_cast<std::size_t>(signum)].load(std::memory_order_relaxed) >=
           (limit() + 1) / 2;
  }
  [[nodiscard]] bool has_any_of(int signum) const noexcept {
    return pending_[static_cast<std::size_t>(signum)].load(std::memory_order_relaxed) != 0;
  }
  [[nodiscard]] bool is_drained() const noexcept { return size() < (limit() + 1) / 2; }

  /// Writes an arrival down. `queued`: of a signal that the kernel queues (a real-time one), which
  /// is never merged. In the handler zone.
  /// Inlined, as the next two: a copy might be one of a program's that is built with a sanitizer.
  [[gnu::always_inline]] posted post(const record& arrival, bool queued) noexcept {
    const auto n = static_cast<std::size_t>(arrival.info.si_signo);
    const bool crowd = is_crowded();
    if (queued || !crowd || pending_[n].load(std::memory_order_relaxed) == 0) {
      if (store(arrival, n)) return crowd ? posted::stored_crowded : posted::stored;
      if (queued) return posted::refused;
    }
    merged_[n].fetch_add(1, std::memory_order_release);
    any_merged_.exchange(1);  // not a store: see peek_merged()
    return posted::merged;
  }

  /// Would post() need a slot that only drop_oldest() gives? In the handler zone.
  [[nodiscard]] bool is_full_for(int signum, bool queued) const noexcept {
    const auto n = static_cast<std::size_t>(signum);
    return is_crowded() && (queued || pending_[n].load(std::memory_order_relaxed) == 0);
  }

  /// Of a lossy one. Tells the signal and the arrival of the record that is gone. false: it was
  /// being written or taken. In the handler zone.
  [[gnu::always_inline]] bool drop_oldest(int& signum, claims::arrival& id) noexcept {
    std::uint64_t ticket = head_.load(std::memory_order_relaxed);
    slot& at = slots_[ticket % capacity];
    if (at.turn.load(std::memory_order_acquire) != full(ticket)) return false;
    signum = __atomic_load_n(&at.what.info.si_signo, __ATOMIC_RELAXED);
    id = __atomic_load_n(&at.what.id, __ATOMIC_RELAXED);
    if (!free_slot(ticket)) return false;
    pending_[static_cast<std::size_t>(signum)].fetch_sub(1, std::memory_order_relaxed);
    count_dropped();
    return true;
  }
  void count_dropped() noexcept { dropped_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return dropped_.load(std::memory_order_relaxed);
  }

  /// Number of records, roughly.
  [[nodiscard]] std::uint64_t size() const noexcept {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    return tail > head ? tail - head : 0;
  }

  /// At most how many records, and merged arrivals without one, there are now.
  [[nodiscard]] std::uint64_t backlog() const noexcept {
    return size() + (any_merged_.load(std::memory_order_relaxed) != 0 ? signals : 0);
  }

  /// The oldest record, left in place; false if there is none. Not in handlers, one thread at a
  /// time.
  /// `wait` is called while its writer, a handler on another thread, has not finished: those behind
  /// it must neither pass it nor wait for the next safe point.
  template <class Wait>
  bool peek(record& oldest, Wait wait) {
    for (;;) {
      peeked_ = head_.load(std::memory_order_relaxed);
      const slot& at = slots_[peeked_ % capacity];
      if (at.turn.load(std::memory_order_acquire) == full(peeked_)) {
        copy_words(&oldest, &at.what, sizeof oldest);
        return true;
      }
      if (tail_.load(std::memory_order_acquire) == peeked_) return peek_merged(oldest);
      wait();
    }
  }

  /// Removes what peek() found, and completes it with the count of the arrivals merged into it.
  /// false: it has been dropped meanwhile, and what peek() told is not to be trusted.
  bool take(record& oldest) noexcept {
    if (oldest.merged != 0) {  // not in the ring: see peek_merged
      const auto n = static_cast<std::size_t>(oldest.info.si_signo);
      oldest.merged = merged_[n].exchange(0, std::memory_order_acquire) - 1;
      return true;
    }
    if (!free_slot(peeked_)) return false;
    const auto n = static_cast<std::size_t>(oldest.info.si_signo);
    pending_[n].fetch_sub(1, std::memory_order_relaxed);
    oldest.merged = merged_[n].exchange(0, std::memory_order_acquire);
    return true;
  }

 private:
  struct slot {
    // Even: free for lap turn / 2 of the ring; odd: written in that lap. Zero: free for the first.
    std::atomic<std::uint64_t> turn;
    record what;
  };

  static constexpr std::uint64_t full(std::uint64_t ticket) noexcept {
    return 2 * (ticket / capacity) + 1;
  }

  // Only a lossy one has several who take records out.
  bool free_slot(std::uint64_t ticket) noexcept {
    if (is_lossy()) {
      std::uint64_t expected = ticket;
      if (!head_.compare_exchange_strong(expected, ticket + 1, std::memory_order_acq_rel)) {
        return false;
      }
    } else {
      head_.store(ticket + 1, std::memory_order_relaxed);
    }
    slots_[ticket % capacity].turn.store(full(ticket) + 1, std::memory_order_release);
    return true;
  }

  [[gnu::always_inline]] bool store(const record& arrival, std::size_t n) noexcept {
    std::uint64_t ticket = tail_.load(std::memory_order_relaxed);
    for (;;) {
      slot& at = slots_[ticket % capacity];
      const std::uint64_t turn = at.turn.load(std::memory_order_acquire);
      if (turn == full(ticket) - 1) {
        if (tail_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_relaxed)) {
          pending_[n].fetch_add(1, std::memory_order_relaxed);
          copy_words(&at.what, &arrival, sizeof arrival);
          at.turn.store(full(ticket), std::memory_order_release);
          return true;
        }
      } else {
        const std::uint64_t now = tail_.load(std::memory_order_relaxed);
        if (now == ticket) return false;  // the slot still holds the record of a lap ago
        ticket = now;
      }
    }
  }

  // Arrivals that no record in the ring stands for, once the ring has none left.
  bool peek_merged(record& oldest) noexcept {
    if (any_merged_.load(std::memory_order_relaxed) == 0) return false;
    // Before the look, so that a later one is seen. Nobody stores here: an exchange sees what stood
    // before each of those that the last one has overwritten.
    any_merged_.exchange(0);
    for (std::size_t n = 1; n < signals; ++n) {
      const std::uint32_t count = merged_[n].load(std::memory_order_seq_cst);
      if (count == 0) continue;
      any_merged_.exchange(1);  // there may be more
      oldest = record{};
      oldest.info.si_signo = static_cast<int>(n);
      oldest.merged = count;
      return true;
    }
    return false;
  }

  std::atomic<std::uint64_t> limit_;
  std::atomic<std::uint32_t> lossy_;
  std::atomic<std::uint64_t> dropped_;
  std::uint64_t peeked_;  // the ticket of what peek() has found
  std::atomic<std::uint64_t> head_;
  alignas(64) std::atomic<std::uint64_t> tail_;
  std::atomic<std::uint32_t> any_merged_;
  std::array<std::atomic<std::uint32_t>, signals> pending_;  // records in the ring, per signal
  std::array<std::atomic<std::uint32_t>, signals> merged_;
  std::array<slot, capacity> slots_;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(sizeof(record) % sizeof(unsigned long) == 0);
static_assert(sizeof(siginfo_t) % sizeof(unsigned long) == 0);
static_assert(alignof(siginfo_t) >= sizeof(unsigned long));

}  // namespace sigpp::inline v1::in_handler
