// Signals as a sequence.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <utility>

#include <sigpp/duration.hpp>
#include <sigpp/export.hpp>
#include <sigpp/signal_info.hpp>
#include <sigpp/signal_set.hpp>

namespace sigpp::inline v1 {

namespace detail {
class stream_state;
}

/// What a stream does with an arrival when it is full. Standard signals that already wait there
/// merge first, counted by signal_info::merged().
enum class when_full : unsigned char {
  drop_oldest,  ///< the oldest one goes, counted: who does not read hurts nobody else
  stall         ///< real-time signals wait in the kernel, for everybody, until there is room
};

struct stream_options {
  /// At most this many arrivals wait; from 1 to 896.
  std::size_t capacity = 896;
  when_full policy = when_full::drop_oldest;
};

/// A queue of its own for some signals: `signal_stream hups{SIGHUP}; hups.next();`. Go:
/// signal.Notify; Rust: signal_hook::iterator, tokio::signal::unix.
///
/// While it lives the signals are caught, and every stream, subscriber and handler of a signal gets
/// every arrival of it, whatever thread the kernel gives it to. In fixed memory of 170 KiB, without
/// a thread.
///
/// Threads: one at a time; a handler that runs while next() waits may not destroy it: let it throw
/// out of next(). Destruction gives the signals back as ~subscription() does, and sends
/// again those that nobody has had. In a forked child it goes on, without what was waiting.
class signal_stream {
 public:
  /// Throws std::system_error: EINVAL for a number that cannot be caught, ENOMEM;
  /// std::invalid_argument: no signal, or a capacity out of range.
  SIGPP_EXPORT explicit signal_stream(const signal_set& signals, stream_options options = {});
  signal_stream(std::initializer_list<int> signals, stream_options options = {})
      : signal_stream(signal_set(signals), options) {}
  SIGPP_EXPORT ~signal_stream();
  SIGPP_EXPORT signal_stream(signal_stream&& other) noexcept;
  SIGPP_EXPORT signal_stream& operator=(signal_stream&& other) noexcept;

  /// The next arrival; waits for it. A blocking call of sigpp: handlers of the calling thread run
  /// meanwhile, what they throw leaves it, and timeouts and interrupt() end it. Throws
  /// std::system_error (EBUSY) if another thread or coroutine waits here.
  SIGPP_EXPORT signal_info next();

  /// The same for so long: nullopt when it has passed. Throws also EINVAL for a bad duration.
  template <class Rep, class Period>
  std::optional<signal_info> next_for(std::chrono::duration<Rep, Period> timeout) {
    return next_until(detail::deadline_after(detail::to_nanoseconds(timeout, "next_for")));
  }
  SIGPP_EXPORT std::optional<signal_info> next_until(
      std::chrono::steady_clock::time_point deadline);

  /// What is there already. No safe point.
  SIGPP_EXPORT std::optional<signal_info> try_next();

  /// Readable when try_next() may have something: then call it until it has nothing. For poll and
  /// event loops; do not read it. Made at the first call; it belongs to this object. In a forked
  /// child it is another one under the same number. Throws std::system_error (EMFILE, ENFILE).
  SIGPP_EXPORT [[nodiscard]] int native_handle();

  /// How many arrivals have been dropped since it was made.
  SIGPP_EXPORT [[nodiscard]] std::uint64_t dropped() const noexcept;
  SIGPP_EXPORT [[nodiscard]] signal_set signals() const noexcept;

  /// `for (const auto& info : stream)`: next() for ever, until something throws or breaks.
  class iterator {
   public:
    using value_type = signal_info;
    using difference_type = std::ptrdiff_t;
    iterator() noexcept = default;
    const signal_info& operator*() const noexcept { return *now_; }
    const signal_info* operator->() const noexcept { return &*now_; }
    iterator& operator++() {
      now_ = from_->next();
      return *this;
    }
    void operator++(int) { ++*this; }

   private:
    friend class signal_stream;
    explicit iterator(signal_stream& from) : from_(&from), now_(from.next()) {}
    signal_stream* from_ = nullptr;
    std::optional<signal_info> now_;
  };
  struct never {
    friend bool operator==(const iterator&, never) noexcept { return false; }
  };
  iterator begin() { return iterator(*this); }
  [[nodiscard]] static never end() noexcept { return {}; }

  class awaiter;
  /// `signal_info s = co_await stream`: the coroutine goes on at a safe point of the thread that it
  /// waits on. The stream, and the thread's end, do not resume it; destroying it is fine. Throws as
  /// next().
  awaiter operator co_await();

 private:
  std::unique_ptr<detail::stream_state> state_;
};

/// What co_await makes.
class signal_stream::awaiter {
 public:
  SIGPP_EXPORT explicit awaiter(detail::stream_state& state) noexcept;
  SIGPP_EXPORT ~awaiter();
  awaiter(const awaiter&) = delete;
  awaiter& operator=(const awaiter&) = delete;

  SIGPP_EXPORT bool await_ready();
  SIGPP_EXPORT bool await_suspend(std::coroutine_handle<> who);
  signal_info await_resume() noexcept { return *std::exchange(taken_, std::nullopt); }

 private:
  friend class detail::stream_state;
  detail::stream_state* state_;
  std::coroutine_handle<> who_;
  std::optional<signal_info> taken_;
};

inline signal_stream::awaiter signal_stream::operator co_await() { return awaiter(*state_); }

}  // namespace sigpp::inline v1
