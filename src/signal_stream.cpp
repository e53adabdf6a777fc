#include <sigpp/signal_stream.hpp>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <sigpp/check.hpp>
#include <sigpp/names.hpp>
#include <sigpp/subscribe.hpp>

#include "dispatcher_core.hpp"
#include "errors.hpp"
#include "process.hpp"
#include "registry.hpp"
#include "safe_point.hpp"
#include "storm.hpp"
#include "thread_control.hpp"

namespace sigpp::inline v1 {

using std::chrono::steady_clock;

/// A dispatcher that nobody dispatches, and its one subscriber, who is never called.
class detail::stream_state final : public watcher {
 public:
  stream_state(const signal_set& signals, stream_options options)
      : core_(registry::instance().make_loose_core(options.capacity,
                                                   options.policy == when_full::drop_oldest)),
        subscribed_(subscribe_or_retire(signals)) {}
  ~stream_state() {
    if (awaiting_ != nullptr) forget_awaiter();
    subscribed_.unsubscribe();
    registry::instance().retire(core_);
  }
  stream_state(const stream_state&) = delete;
  stream_state& operator=(const stream_state&) = delete;

  std::optional<signal_info> take();
  std::optional<signal_info> wait(std::optional<steady_clock::time_point> deadline);
  bool await(signal_stream::awaiter& who);
  void forget_awaiter() noexcept;

  dispatcher_core& core() noexcept { return core_; }
  [[nodiscard]] signal_set signals() const noexcept { return subscribed_.signals(); }

  bool has_something() override { return core_.has_something_to_run(); }
  bool run() override;
  void thread_ends() noexcept override;
  void after_fork() noexcept override;

 private:
  subscription subscribe_or_retire(const signal_set& signals) {
    try {
      return subscribe(
          signals, [] {}, dispatcher(core_.token()));
    } catch (...) {
      registry::instance().retire(core_);
      throw;
    }
  }
  void begin_waiting();

  dispatcher_core& core_;
  subscription subscribed_;
  signal_stream::awaiter* awaiting_ = nullptr;
  std::shared_ptr<thread_control> control_;  // of the thread that it waits on
};

namespace {

// Attention that cannot be served now must not keep a wait from waiting; it is raised again after
// it.
class attention_put_off {
 public:
  attention_put_off() = default;
  ~attention_put_off() {
    if (raised_) detail::attention.store(1);
  }
  attention_put_off(const attention_put_off&) = delete;
  attention_put_off& operator=(const attention_put_off&) = delete;
  void lower() noexcept {
    if (detail::attention.exchange(0) != 0) raised_ = true;
  }

 private:
  bool raised_ = false;
};

stream_options checked(stream_options options) {
  if (options.capacity < 1 || options.capacity > in_handler::mailbox::crowded_at) {
    throw std::invalid_argument("sigpp::signal_stream: the capacity is not in [1, 896]");
  }
  return options;
}

}  // namespace

std::optional<signal_info> detail::stream_state::take() {
  if (auto next = core_.take_one()) return next;
  core_.lower_descriptor();
  auto next = core_.take_one();
  if (next) core_.raise();  // there may be more
  return next;
}

void detail::stream_state::begin_waiting() {
  if (core_.awaited.exchange(true)) {
    throw_errno(EBUSY, "signal_stream", "somebody else waits for it");
  }
}

std::optional<signal_info> detail::stream_state::wait(
    std::optional<steady_clock::time_point> deadline) {
  if (!has_safe_points()) this_control();  // where attention can wake it
  outlive_handlers();
  begin_waiting();
  struct end_waiting {
    dispatcher_core& core;
    ~end_waiting() {
      core.leave();
      core.awaited.store(false);
    }
  } const waiting{core_};
  attention_put_off put_off;
  core_.wait_here();
  const storm::attendance attends;
  for (;; core_.wait_here()) {  // each time: a handler may have forked
    if (is_deferred()) {
      put_off.lower();
    } else {
      check_before_wait();
    }
    if (auto next = take()) return next;
    if (deadline && steady_clock::now() >= *deadline) return std::nullopt;
    wait_for_attention(deadline);
  }
}

// --- co_await -----------------------------------------------------------------------------------

bool detail::stream_state::await(signal_stream::awaiter& who) {
  control_ = this_control();
  outlive_handlers();
  begin_waiting();
  control_->add(*this);
  awaiting_ = &who;
  core_.wait_here();
  who.taken_ = take();
  if (who.taken_) forget_awaiter();
  return !who.taken_;
}

void detail::stream_state::forget_awaiter() noexcept {
  control_->remove(*this);
  thread_ends();
}

bool detail::stream_state::run() {
  auto next = take();
  if (!next) return false;
  signal_stream::awaiter& who = *awaiting_;
  forget_awaiter();
  who.taken_ = next;
  who.who_.resume();
  return true;
}

void detail::stream_state::thread_ends() noexcept {
  core_.leave();
  awaiting_->state_ = nullptr;
  awaiting_ = nullptr;
  core_.awaited.store(false);
}

void detail::stream_state::after_fork() noexcept {
  core_.awaited.store(true);
  core_.set_thread_here();
}

signal_stream::awaiter::awaiter(detail::stream_state& state) noexcept : state_(&state) {}

signal_stream::awaiter::~awaiter() {
  if (state_ != nullptr && who_) state_->forget_awaiter();
}

bool signal_stream::awaiter::await_ready() {
  detail::storm::end();
  taken_ = state_->take();
  return taken_.has_value();
}

bool signal_stream::awaiter::await_suspend(std::coroutine_handle<> who) {
  if (!state_->await(*this)) return false;
  who_ = who;
  return true;
}

// ------------------------------------------------------------------------------------------------

signal_stream::signal_stream(const signal_set& signals, stream_options options)
    : state_(std::make_unique<detail::stream_state>(signals, checked(options))) {}
signal_stream::~signal_stream() = default;
signal_stream::signal_stream(signal_stream&& other) noexcept = default;
signal_stream& signal_stream::operator=(signal_stream&& other) noexcept = default;

signal_info signal_stream::next() { return *state_->wait(std::nullopt); }

std::optional<signal_info> signal_stream::next_until(steady_clock::time_point deadline) {
  return state_->wait(deadline);
}

std::optional<signal_info> signal_stream::try_next() {
  detail::storm::end();
  return state_->take();
}

int signal_stream::native_handle() {
  const std::lock_guard lock(detail::registry::instance().mutex());
  return state_->core().descriptor();
}

std::uint64_t signal_stream::dropped() const noexcept {
  return state_->core().station().queue.dropped();
}

signal_set signal_stream::signals() const noexcept { return state_->signals(); }

}  // namespace sigpp::inline v1
