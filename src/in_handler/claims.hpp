// Who of several dispatchers still has an arrival to deal with.
//
// Thread safety: every member, from any thread, in and outside handlers. Zeros are valid: no
// arrival.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sigpp::inline v1::in_handler {

/// An arrival that several dispatchers get, and that none of them has handled when the last of them
/// gives it up, goes back to the kernel; whoever gives it up earlier does nothing.
/// An entry is used again only once its arrival is settled, so a claim without an entry is, too.
class claims {
 public:
  using arrival = std::uint32_t;
  static constexpr arrival none = 0;

  /// A new arrival, with one claim: its maker's. 0, "none", if too many are unsettled: then each
  /// dispatcher is taken for the only one; twice is better than never.
  arrival open() noexcept {
    for (std::size_t tries = 0; tries < all_.size(); ++tries) {
      const arrival id = last_.fetch_add(1, std::memory_order_relaxed) + 1;
      std::uint64_t now = at(id).load();
      if (id == none || static_cast<std::uint32_t>(now) != settled) continue;
      if (at(id).compare_exchange_strong(now, with(id, 1))) return id;
    }
    return none;
  }
  void add(arrival id) noexcept {
    change(id, [](std::uint32_t count) { return count + 1; });
  }
  /// true: it was the last one, and nobody has handled it.
  bool give_up(arrival id) noexcept { return (change(id, without_one) & ~dropped) == 1; }
  /// A full stream gives it up: that is its policy, and no reason for its maker to bring it back.
  void drop(arrival id) noexcept {
    change(id, [](std::uint32_t count) {
      return (count & ~dropped) == 1 ? settled : (count - 1) | dropped;
    });
  }
  /// give_up() by the maker, when all have got it.
  bool give_up_own(arrival id) noexcept { return change(id, without_one) == 1; }
  /// Somebody handles it.
  void handled(arrival id) noexcept {
    change(id, [](std::uint32_t) { return settled; });
  }

 private:
  static constexpr std::uint32_t settled = 0;
  static constexpr std::uint32_t dropped = 1U << 31U;  // by somebody

  static std::uint32_t without_one(std::uint32_t count) noexcept {
    return (count & ~dropped) == 1 ? settled : count - 1;
  }

  static std::uint64_t with(arrival id, std::uint32_t count) noexcept {
    return std::uint64_t{id} << 32U | count;
  }
  std::atomic<std::uint64_t>& at(arrival id) noexcept { return all_[id % all_.size()]; }

  // Returns the count before.
  template <class F>
  std::uint32_t change(arrival id, F next) noexcept {
    if (id == none) return 1;
    std::uint64_t now = at(id).load();
    for (;;) {
      if (now >> 32U != id) return settled;
      const auto count = static_cast<std::uint32_t>(now);
      if (count == settled) return settled;
      if (at(id).compare_exchange_weak(now, with(id, next(count)))) return count;
    }
  }

  std::atomic<arrival> last_;
  std::array<std::atomic<std::uint64_t>, 4096> all_;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace sigpp::inline v1::in_handler
