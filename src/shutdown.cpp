#include <sigpp/shutdown.hpp>

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sigpp/names.hpp>
#include <sigpp/signal.hpp>
#include <sigpp/sleep.hpp>
#include <sigpp/subscribe.hpp>
#include <sigpp/thread.hpp>

#include "death.hpp"
#include "errors.hpp"
#include "in_handler/delivery.hpp"
#include "mask.hpp"
#include "platform/platform.hpp"
#include "process.hpp"
#include "registry.hpp"

namespace sigpp::inline v1 {

using std::chrono::nanoseconds;

namespace {

constinit std::atomic<bool> there_is_one{false};

class only_one {
 public:
  only_one() {
    if (there_is_one.exchange(true)) {
      throw_errno(EBUSY, "shutdown_source", "there is one already");
    }
  }
  ~only_one() { there_is_one.store(false); }
  only_one(const only_one&) = delete;
  only_one& operator=(const only_one&) = delete;
};

shutdown_options checked(shutdown_options options) {
  if (options.grace < nanoseconds::zero() || options.repeats < nanoseconds::zero()) {
    throw_errno(EINVAL, "shutdown_source", "a negative duration");
  }
  for (int n : options.signals) require_catchable(n, "shutdown_source");
  return options;
}

// Where no timer ends the grace.
class grace_thread {
 public:
  grace_thread() = default;
  ~grace_thread() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_one();
    if (!thread_.joinable()) return;
    if (process_ == getpid()) {
      thread_.join();
    } else {  // there is no such thread here
      new (&thread_) std::thread();
    }
  }
  grace_thread(const grace_thread&) = delete;
  grace_thread& operator=(const grace_thread&) = delete;

  void start(nanoseconds grace) {
    const detail::all_blocked guard;  // inherited by the thread
    process_ = getpid();
    thread_ = std::thread([this, grace] {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, grace, [this] { return over_; })) in_handler::end_of_grace();
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  pid_t process_ = 0;
  std::thread thread_;
};

}  // namespace

class detail::shutdown_state {
 public:
  explicit shutdown_state(shutdown_options options) : grace_(options.grace) {
    registry& all = registry::instance();
    signal_set signals;
    for (int n : options.signals) {
      if (!getsignal(n).is_ignore()) signals.insert(n);
    }
    if (signals.empty()) return;
    const dispatcher where =
        options.where ? *options.where : dispatcher(all.slots_are_called_at().token());
    process_state& process = *detail::process();
    process.asked.store(0);
    if (grace_ > nanoseconds::zero()) process.grace_timer.store(platform::make_grace_timer());
    shared.grace.store(grace_.count());
    shared.repeats.store(options.second_ends ? options.repeats.count() : -1);
    for (int n : signals) shared.asks[static_cast<std::size_t>(n)].store(1);
    try {  // the last: the first signal finds all this
      subscribed_ = subscribe(
          signals, [this](const signal_info& info) { asked(info); }, where);
    } catch (...) {
      stop_listening();
      throw;
    }
  }

  // The second signal and the end of the grace still end it while the clean-ups run.
  ~shutdown_state() {
    while (!deferred_.empty()) {
      try {
        clean_up();
      } catch (const std::exception& e) {
        std::fprintf(stderr, "sigpp: a clean-up has thrown: %s\n", e.what());
      } catch (...) {
        std::fputs("sigpp: a clean-up has thrown\n", stderr);
      }
    }
    stop_listening();
  }
  shutdown_state(const shutdown_state&) = delete;
  shutdown_state& operator=(const shutdown_state&) = delete;

  [[nodiscard]] std::stop_source& source() noexcept { return source_; }

  std::optional<signal_info> cause() {
    const std::lock_guard lock(shutdown_mutex);
    return cause_;
  }

  void defer(std::function<void()> f) {
    const std::lock_guard lock(shutdown_mutex);
    deferred_.push_back(std::move(f));
  }

  void clean_up() {
    for (;;) {
      std::function<void()> next;
      {
        const std::lock_guard lock(shutdown_mutex);
        if (deferred_.empty()) return;
        next = std::move(deferred_.back());
        deferred_.pop_back();
      }
      next();
    }
  }

 private:
  using process_state = in_handler::process_state;

  void stop_listening() noexcept {
    for (auto& each : shared.asks) each.store(0);
    subscribed_.unsubscribe();
    if (process() == nullptr) return;
    shared.grace.store(0);
    wait_for_handlers_in_progress();  // they may be starting the timer
    platform::delete_grace_timer(process()->grace_timer.exchange(nullptr));
  }

  static constexpr auto& shared = in_handler::shared;

  void asked(const signal_info& info) {
    {
      const std::lock_guard lock(shutdown_mutex);
      if (source_.stop_requested()) return;
      if (!cause_) cause_ = info;
    }
    if (grace_ > nanoseconds::zero() && process()->grace_timer.load() == nullptr) {
      try {
        watchdog_.start(grace_);
      } catch (const std::system_error&) {  // no thread: without a grace, but it stops
      }
    }
    source_.request_stop();
  }

  only_one this_one_;
  nanoseconds grace_;
  std::stop_source source_;
  std::optional<signal_info> cause_;  // guarded by shutdown_mutex, as the next
  std::vector<std::function<void()>> deferred_;
  grace_thread watchdog_;
  subscription subscribed_;
};

shutdown_source::shutdown_source(shutdown_options options)
    : state_(std::make_unique<detail::shutdown_state>(checked(std::move(options)))) {}
shutdown_source::~shutdown_source() = default;

std::stop_token shutdown_source::get_token() const noexcept { return state_->source().get_token(); }

std::optional<signal_info> shutdown_source::cause() const { return state_->cause(); }

bool shutdown_source::request_stop() noexcept { return state_->source().request_stop(); }

void shutdown_source::wait() {
  const stop_scope scope(get_token());
  try {
    while (!requested()) pause();
  } catch (const interrupted& request) {
    if (!request.of(scope)) throw;
  }
}

bool shutdown_source::wait_until(std::chrono::steady_clock::time_point deadline) {
  const stop_scope scope(get_token());
  try {
    if (!requested()) sleep_until(deadline);
  } catch (const interrupted& request) {
    if (!request.of(scope)) throw;
  }
  return requested();
}

void shutdown_source::clean_up() { state_->clean_up(); }

void shutdown_source::defer(std::function<void()> f) { state_->defer(std::move(f)); }

int shutdown_source::finish() {
  state_->clean_up();
  const auto why = cause();
  return why ? detail::die_at_exit_by(why->number()) : 0;
}

}  // namespace sigpp::inline v1
