#include "dispatcher.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>

#include <sigpp/check.hpp>
#include <sigpp/handler.hpp>
#include <sigpp/signal_info.hpp>

#include "process.hpp"
#include "registry.hpp"

namespace sigpp::inline v1 {

using in_handler::mailbox;
using in_handler::process_state;
using in_handler::record;

namespace {

bool is_queued(int signum) noexcept {
  return signum >= in_handler::shared.first_queued && signum <= in_handler::shared.last_queued;
}

// The queue has room again: let the threads that held back take queued signals.
void release_held_threads(process_state& state) noexcept {
  if (state.any_held.load(std::memory_order_relaxed) == 0) return;
  if (state.main.queue.size() >= mailbox::drained_at) return;
  state.any_held.store(0);
  in_handler::release_this_thread();
  for (auto& entry : state.held_threads) {
    if (entry.load(std::memory_order_relaxed) == 0) continue;
    if (const auto thread = entry.exchange(0); thread != 0) in_handler::os::ring(thread);
  }
}

process_state::counters& count(const record& arrival) noexcept {
  auto& counts = process()->counts[static_cast<std::size_t>(arrival.info.si_signo)];
  counts.merged.fetch_add(arrival.merged, std::memory_order_relaxed);
  return counts;
}

// For an arrival whose action is not a function any more.
void dispose(const record& arrival, const handler& h) {
  if (h.is_ignore()) {
    count(arrival).discarded.fetch_add(1, std::memory_order_relaxed);
  } else {
    count(arrival).reraised.fetch_add(1, std::memory_order_relaxed);
    in_handler::os::send_again(arrival.info);
  }
}

class running_mark {
 public:
  running_mark(signal_set& running, int signum) : running_(running), signum_(signum) {
    running_.insert(signum_);
  }
  ~running_mark() { running_.erase(signum_); }
  running_mark(const running_mark&) = delete;
  running_mark& operator=(const running_mark&) = delete;

 private:
  signal_set& running_;
  int signum_;
};

// Raises attention again when an exception leaves a safe point with arrivals behind it.
class keep_attention {
 public:
  keep_attention() = default;
  ~keep_attention() {
    if (std::uncaught_exceptions() > exceptions_) detail::attention.store(1);
  }
  keep_attention(const keep_attention&) = delete;
  keep_attention& operator=(const keep_attention&) = delete;

 private:
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace

dispatcher& dispatcher::main() noexcept {
  alignas(dispatcher) static std::array<std::byte, sizeof(dispatcher)> memory;
  static auto* const one = new (memory.data()) dispatcher;
  return *one;
}

// Moves the mailbox's records behind the parked ones. false if there is no more room here; then
// what is left stays where it is, and the mailbox pushes back on the kernel.
bool dispatcher::park_all(process_state& state) {
  record next;
  while (state.main.queue.peek(next)) {
    const auto same = [&](const record& r) { return r.info.si_signo == next.info.si_signo; };
    const auto twin = std::find_if(parked_.begin(), parked_.end(), same);
    if (parked_.size() >= mailbox::capacity && twin != parked_.end() &&
        !is_queued(next.info.si_signo)) {
      state.main.queue.take(next);
      twin->merged += 1 + next.merged;
    } else if (parked_.size() >= mailbox::capacity + mailbox::signals) {
      return false;
    } else {
      parked_.push_back(next);  // before take(), so that bad_alloc loses nothing
      state.main.queue.take(next);
      parked_.back().merged = next.merged;
    }
  }
  return true;
}

bool dispatcher::take(record& next) {
  process_state& state = *process();
  const std::lock_guard lock(mutex_);
  release_held_threads(state);
  const auto may_run = [&](const record& r) { return !running_.contains(r.info.si_signo); };
  for (;;) {
    const auto waiting = std::find_if(parked_.begin(), parked_.end(), may_run);
    if (waiting != parked_.end()) {
      next = *waiting;
      parked_.erase(waiting);
      return true;
    }
    if (!state.main.queue.peek(next)) return false;
    if (may_run(next)) {
      state.main.queue.take(next);
      return true;
    }
    if (!park_all(state)) return false;
  }
}

bool dispatcher::run(const record& arrival) {
  const int signum = arrival.info.si_signo;
  const handler h = registry::instance().current(signum);
  if (!h.is_callable()) {
    dispose(arrival, h);
    return false;
  }
  count(arrival).handled.fetch_add(1, std::memory_order_relaxed);
  const running_mark mark(running_, signum);
  using std::chrono::steady_clock;
  h(signal_info(arrival.info, steady_clock::time_point(std::chrono::nanoseconds(arrival.time)),
                arrival.thread, arrival.program_counter, arrival.merged));
  return true;
}

unsigned dispatcher::dispatch() {
  const keep_attention guard;
  unsigned ran = 0;
  record next;
  while (!delivery_ended() && take(next)) {
    if (run(next)) ++ran;
  }
  return ran;
}

void dispatcher::settle(int signum) {
  process_state& state = *process();
  const auto match = [&](const record& r) { return r.info.si_signo == signum; };
  for (;;) {
    const handler h = registry::instance().current(signum);
    if (h.is_callable()) return;  // another thread has installed one since; it gets them
    record found;
    {
      const std::lock_guard lock(mutex_);
      park_all(state);
      const auto at = std::find_if(parked_.begin(), parked_.end(), match);
      if (at == parked_.end()) return;
      found = *at;
      parked_.erase(at);
    }
    dispose(found, h);
  }
}

void dispatcher::forget_records() noexcept {
  // Not destroyed: another thread of the parent may have been changing it.
  new (&parked_) std::deque<record>();
}

}  // namespace sigpp::inline v1
