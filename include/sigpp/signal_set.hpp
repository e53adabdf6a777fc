// A set of signal numbers: what sigset_t should have been.
#pragma once

#include <signal.h>

#include <array>
#include <climits>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <string>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// A set of signal numbers, a regular value type: copy, compare, iterate in increasing order.
///
/// Python: the `set` that `signal.valid_signals()` and friends return. POSIX: sigset_t. Room for
/// every number a known system has (FreeBSD's real-time signals go to 126), never one 64-bit mask.
///
/// Threads: as an int; no member blocks or allocates, except to_string(). All but insert(),
/// erase(), from a bad number, and to_string() are noexcept.
class signal_set {
 public:
  /// The largest number that fits.
  static constexpr int capacity = 128;

  class iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using pointer = const int*;
    using reference = int;

    constexpr iterator() noexcept = default;
    constexpr int operator*() const noexcept { return at_; }
    constexpr iterator& operator++() noexcept {
      at_ = set_->next(at_ + 1);
      return *this;
    }
    constexpr iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    constexpr bool operator==(const iterator& other) const noexcept { return at_ == other.at_; }

   private:
    friend class signal_set;
    constexpr iterator(const signal_set* set, int at) noexcept : set_(set), at_(at) {}
    const signal_set* set_ = nullptr;
    int at_ = capacity + 1;
  };
  using value_type = int;
  using const_iterator = iterator;

  constexpr signal_set() noexcept = default;

  /// The numbers given. Throws std::system_error (EINVAL) for one outside [1, capacity].
  constexpr signal_set(std::initializer_list<int> signums) {
    for (int signum : signums) insert(signum);
  }

  /// The numbers in a POSIX set that this system knows.
  SIGPP_EXPORT explicit signal_set(const sigset_t& native) noexcept;

  /// The same set for a POSIX call. Numbers that this system does not know are left out.
  SIGPP_EXPORT [[nodiscard]] sigset_t native() const noexcept;

  /// Every signal that a program may use here: `sigfillset` without those the C library keeps for
  /// itself. The same as valid_signals().
  SIGPP_EXPORT [[nodiscard]] static signal_set valid() noexcept;

  /// Adds a number. Throws std::system_error (EINVAL) if it is outside [1, capacity].
  constexpr void insert(int signum) {
    if (!fits(signum)) throw_bad_number(signum);
    word(signum) |= bit(signum);
  }

  /// Removes a number; one that is not there, or cannot be, is no error.
  constexpr void erase(int signum) noexcept {
    if (fits(signum)) word(signum) &= ~bit(signum);
  }

  constexpr void clear() noexcept { words_ = {}; }

  [[nodiscard]] constexpr bool contains(int signum) const noexcept {
    return fits(signum) && (words_[index(signum)] & bit(signum)) != 0;
  }

  [[nodiscard]] constexpr std::size_t size() const noexcept {
    std::size_t count = 0;
    for (int signum = next(1); signum <= capacity; signum = next(signum + 1)) ++count;
    return count;
  }
  [[nodiscard]] constexpr bool empty() const noexcept { return words_ == words_type{}; }

  [[nodiscard]] constexpr iterator begin() const noexcept { return {this, next(1)}; }
  [[nodiscard]] constexpr iterator end() const noexcept { return {this, capacity + 1}; }

  constexpr signal_set& operator|=(const signal_set& other) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
    return *this;
  }
  constexpr signal_set& operator&=(const signal_set& other) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
    return *this;
  }
  constexpr signal_set& operator-=(const signal_set& other) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.words_[i];
    return *this;
  }
  constexpr signal_set& operator^=(const signal_set& other) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] ^= other.words_[i];
    return *this;
  }
  friend constexpr signal_set operator|(signal_set a, const signal_set& b) noexcept {
    return a |= b;
  }
  friend constexpr signal_set operator&(signal_set a, const signal_set& b) noexcept {
    return a &= b;
  }
  friend constexpr signal_set operator-(signal_set a, const signal_set& b) noexcept {
    return a -= b;
  }
  friend constexpr signal_set operator^(signal_set a, const signal_set& b) noexcept {
    return a ^= b;
  }
  friend constexpr bool operator==(const signal_set&, const signal_set&) noexcept = default;

 private:
  using word_type = unsigned long;
  static constexpr int bits = static_cast<int>(sizeof(word_type)) * CHAR_BIT;
  using words_type = std::array<word_type, (capacity + bits - 1) / bits>;

  static constexpr bool fits(int signum) noexcept { return signum >= 1 && signum <= capacity; }
  static constexpr std::size_t index(int signum) noexcept {
    return static_cast<std::size_t>((signum - 1) / bits);
  }
  static constexpr word_type bit(int signum) noexcept {
    return word_type{1} << ((signum - 1) % bits);
  }
  constexpr word_type& word(int signum) noexcept { return words_[index(signum)]; }
  constexpr int next(int signum) const noexcept {
    while (signum <= capacity && !contains(signum)) ++signum;
    return signum;
  }
  SIGPP_EXPORT [[noreturn]] static void throw_bad_number(int signum);

  words_type words_{};
};

/// "{SIGINT, SIGTERM}". Threads: any. Throws only std::bad_alloc.
SIGPP_EXPORT [[nodiscard]] std::string to_string(const signal_set& set);

/// Every signal number that a program may use here: `sigfillset` without those the C library keeps
/// for itself (62 of them with glibc: no 32, no 33). Python: `signal.valid_signals()`. Threads:
/// any.
[[nodiscard]] inline signal_set valid_signals() noexcept { return signal_set::valid(); }

}  // namespace sigpp::inline v1
