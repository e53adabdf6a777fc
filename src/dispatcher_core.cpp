#include "dispatcher_core.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <new>
#include <thread>

#include <sigpp/check.hpp>
#include <sigpp/handler.hpp>
#include <sigpp/signal_info.hpp>

#include "mask.hpp"
#include "process.hpp"
#include "registry.hpp"
#include "storm.hpp"

namespace sigpp::inline v1::detail {

using in_handler::mailbox;
using in_handler::process_state;
using in_handler::record;

namespace {

// They are never destroyed.
constinit std::atomic<dispatcher_core*> all_cores{nullptr};

bool is_queued(int signum) noexcept {
  return signum >= in_handler::shared.first_queued && signum <= in_handler::shared.last_queued;
}

process_state::counters& counts_of(const record& arrival) noexcept {
  return process()->counts[static_cast<std::size_t>(arrival.info.si_signo)];
}

// For an arrival that no function here waits for any more. It was its dispatcher's only chance, or
// somebody has subscribed since: then it comes again.
void dispose(const record& arrival) {
  auto& counts = counts_of(arrival);
  if (!process()->shared_arrivals.give_up(arrival.id) ||
      registry::instance().is_ignored(arrival.info.si_signo)) {
    counts.discarded.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  counts.reraised.fetch_add(1, std::memory_order_relaxed);
  in_handler::os::send_again(arrival.info);
}

signal_info to_info(const record& arrival) noexcept {
  using std::chrono::steady_clock;
  return {arrival.info, steady_clock::time_point(std::chrono::nanoseconds(arrival.time)),
          arrival.thread, arrival.program_counter, arrival.merged};
}

// The writer of the oldest record is a signal handler that the scheduler has taken the processor
// from; it may have a lower priority than this thread.
class give_way {
 public:
  void operator()() {
    if (++times_ < 100) return std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }

 private:
  int times_ = 0;
};

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

class dispatch_mark {
 public:
  explicit dispatch_mark(std::atomic<int>& count) : count_(count) { ++count_; }
  ~dispatch_mark() { --count_; }
  dispatch_mark(const dispatch_mark&) = delete;
  dispatch_mark& operator=(const dispatch_mark&) = delete;

 private:
  std::atomic<int>& count_;
};

}  // namespace

dispatcher_core::dispatcher_core(in_handler::station& where) noexcept
    : station_(where), next_(all_cores.load()) {
  all_cores.store(this);  // under the registry's lock
}

namespace {

// While a storm goes on: the queued signals that threads leave to the kernel, one by one, which
// costs a tenth of a run of the signal handler. false: there were none.
bool take_what_the_kernel_keeps(std::uint64_t at_most) {
  all_blocked guard;
  const as_a_handler counted;
  const sigset_t* const programs = programs_mask_here();
  const sigset_t program = programs != nullptr ? *programs : guard.program_mask();
  sigset_t ours;
  sigemptyset(&ours);
  for (int n = in_handler::shared.first_queued; n <= in_handler::shared.last_queued; ++n) {
    if (!in_handler::shared.recorded[static_cast<std::size_t>(n)].load()) continue;
    if (sigismember(&program, n) == 0 && registry::is_installed(n)) sigaddset(&ours, n);
  }
  const std::uint64_t standard = process()->held_standard.load();
  for (int n = 1; standard != 0 && n < in_handler::shared.first_queued; ++n) {
    if ((standard >> (n - 1) & 1U) == 0 || sigismember(&program, n) == 1) continue;
    if (registry::is_installed(n)) sigaddset(&ours, n);
  }
  siginfo_t info{};
  std::uint64_t taken = 0;
  while (taken < at_most && !dispatcher_core::any_is_crowded() &&
         platform::take_pending(ours, info)) {
    if (!in_handler::deliver(info, nullptr)) in_handler::os::send_again(info);
    ++taken;
  }
  return taken != 0;
}

// Whoever holds back may also be sent signals of its own, which only letting them in gives it.
constexpr unsigned batches_at_most = 64;

}  // namespace

bool dispatcher_core::any_is_crowded() noexcept {
  for (dispatcher_core* core = all_cores.load(); core != nullptr; core = core->next_) {
    const mailbox& queue = core->station_.queue;
    if (!queue.is_lossy() && queue.is_crowded()) return true;
  }
  return false;
}

// Every queue has room again: let the threads that held back take queued signals.
void dispatcher_core::release_held_threads() noexcept {
  process_state& state = *process();
  if (state.any_held.load(std::memory_order_relaxed) == 0) return;
  std::uint64_t room = mailbox::capacity;
  for (dispatcher_core* core = all_cores.load(); core != nullptr; core = core->next_) {
    const mailbox& queue = core->station_.queue;
    if (queue.is_lossy()) continue;
    if (!queue.is_drained()) return release_standard();
    room = std::min(room, queue.limit() - queue.size());
  }
  if (state.draining.exchange(1) != 0) return;  // it has counted on the same room
  release_all(room);
  state.draining.store(0);
}

// Some queue is full of something else. Standard signals are held back for the sake of those who
// want them: they come again when one of these has no more of them, or there is nobody left.
void dispatcher_core::release_standard() noexcept {
  process_state& state = *process();
  const std::uint64_t held = state.held_standard.load();
  if (held == 0) return;
  while (state.draining.exchange(1) != 0) std::this_thread::yield();
  std::uint64_t done = 0;
  for (int n = 1; n < in_handler::shared.first_queued; ++n) {
    if ((held >> (n - 1) & 1U) == 0) continue;
    bool wanted = false;
    bool waits = true;
    const auto* at = in_handler::shared.routes[static_cast<std::size_t>(n)].load();
    for (; at != nullptr; at = at->next.load()) {
      const in_handler::station* const to = at->to.load();
      if (to == nullptr) continue;
      wanted = true;
      waits = waits && to->queue.has_any_of(n);
    }
    if (!wanted || !waits) done |= std::uint64_t{1} << (n - 1);
  }
  if ((state.held_standard.fetch_and(~done) & done) != 0) {
    for (auto& entry : state.held_threads) {
      const auto thread = entry.thread.load(std::memory_order_acquire);
      if (thread != 0 && thread != entry.being_written) in_handler::os::ring(thread);
    }
  }
  state.draining.store(0);
}

// By one thread at a time.
void dispatcher_core::release_all(std::uint64_t room) noexcept {
  process_state& state = *process();
  if (++state.batches < batches_at_most && take_what_the_kernel_keeps(room)) return;
  state.batches.store(0);
  state.any_held.exchange(0);
  state.held_standard.store(0);
  in_handler::release_this_thread();
  for (auto& entry : state.held_threads) {
    const auto thread = entry.thread.load(std::memory_order_acquire);
    if (thread == 0 || thread == entry.being_written) continue;  // who writes tells after that
    if (any_is_crowded()) {  // the rest when there is room again
      state.any_held.store(1);
      return;
    }
    free_entry(entry);
    in_handler::os::ring(thread);
  }
}

void dispatcher_core::free_entry(process_state::held_thread& entry) noexcept {
  if (entry.kind.exchange(entry.only_held) != entry.only_held) {
    const all_blocked guard;
    const as_a_handler counted;
    const siginfo_t taken = entry.taken;
    if (!in_handler::deliver(taken, nullptr)) in_handler::os::send_again(taken);
  }
  entry.thread.store(0, std::memory_order_release);
}

// Its id is nobody's soon; on some systems ringing it would be an access to memory that is gone.
void dispatcher_core::end_holding_back() noexcept {
  process_state& state = *process();
  {
    const all_blocked guard;
    const as_a_handler counted;
    siginfo_t info{};
    const sigset_t* const held = in_handler::held_on_this_thread();
    for (auto i = mailbox::capacity; held != nullptr && i > 0; --i) {
      if (!platform::take_pending(*held, info)) break;
      if (!in_handler::deliver(info, nullptr)) in_handler::os::send_again(info);
    }
  }
  sigset_t queued;
  sigemptyset(&queued);
  for (int n = in_handler::shared.first_queued; n <= in_handler::shared.last_queued; ++n) {
    if (in_handler::shared.recorded[static_cast<std::size_t>(n)].load()) sigaddset(&queued, n);
  }
  pthread_sigmask(SIG_BLOCK, &queued, nullptr);  // no more of them
  while (state.draining.exchange(1) != 0) std::this_thread::yield();
  for (auto& entry : state.held_threads) {
    if (entry.thread.load(std::memory_order_acquire) == in_handler::this_thread()) {
      free_entry(entry);
    }
  }
  state.draining.store(0);
}

// Moves the queue's records behind the parked ones. false if there is no more room here; then what
// is left stays where it is, and the queue pushes back on the kernel.
bool dispatcher_core::park_all() {
  mailbox& queue = station_.queue;
  parked next{};
  while (queue.peek(next.arrival, give_way())) {
    const int signum = next.arrival.info.si_signo;
    const auto same = [&](const parked& p) {
      return p.arrival.info.si_signo == signum && p.after == 0;
    };
    const auto twin = std::find_if(parked_.begin(), parked_.end(), same);
    if (parked_.size() >= mailbox::capacity && twin != parked_.end() && !is_queued(signum)) {
      queue.take(next.arrival);
      twin->arrival.merged += 1 + next.arrival.merged;
    } else if (parked_.size() >= mailbox::capacity + mailbox::signals) {
      return false;
    } else {
      parked_.push_back(next);  // before take(), so that bad_alloc loses nothing
      queue.take(next.arrival);
      parked_.back().arrival.merged = next.arrival.merged;
    }
  }
  return true;
}

bool dispatcher_core::take(parked& next) {
  const std::lock_guard lock(mutex_);
  release_held_threads();
  const auto may_run = [&](const parked& p) { return !running_.contains(p.arrival.info.si_signo); };
  for (;;) {
    const auto waiting = std::find_if(parked_.begin(), parked_.end(), may_run);
    if (waiting != parked_.end()) {
      next = *waiting;
      parked_.erase(waiting);
      return true;
    }
    next.after = 0;
    if (!station_.queue.peek(next.arrival, give_way())) return false;
    if (may_run(next)) {
      if (!station_.queue.take(next.arrival)) continue;
      return true;
    }
    ++put_aside_;
    if (!park_all()) return false;
  }
}

// Who subscribes while this runs has not been there when it came.
bool dispatcher_core::run(parked& what) {
  const int signum = what.arrival.info.si_signo;
  registry& all = registry::instance();
  const std::uint64_t first = what.after;
  if (first == 0) what.last = all.last_id();
  registry::call next = all.next_call(signum, *this, what.after, what.last);
  if (first == 0) {
    counts_of(what.arrival).merged.fetch_add(what.arrival.merged, std::memory_order_relaxed);
    if (!next) {
      dispose(what.arrival);
      return false;
    }
    process()->shared_arrivals.handled(what.arrival.id);
    counts_of(what.arrival).handled.fetch_add(1, std::memory_order_relaxed);
  }
  if (!next) return false;
  const running_mark mark(running_, signum);
  const signal_info info = to_info(what.arrival);
  storm::look_within();
  while (next) {
    what.after = next.id();
    const bool more = next.more();
    try {
      next(info);
    } catch (...) {
      if (more) {
        const std::lock_guard lock(mutex_);
        parked_.push_front(what);
      }
      throw;
    }
    next = more ? all.next_call(signum, *this, what.after, what.last) : registry::call();
  }
  return true;
}

unsigned dispatcher_core::dispatch() {
  const dispatch_mark mark(dispatches_);
  dispatcher_thread_ = &attention;
  unsigned ran = 0;
  parked next{};
  std::uint64_t left = waiting_now();
  for (; left > 0 && !delivery_ended() && take(next); --left) {
    if (run(next)) ++ran;
  }
  // Even if there was nothing: a thread may have begun to hold back after its record was taken.
  release_held_threads();
  if (left == 0 && has_something_to_run()) raise();
  return ran;
}

bool dispatcher_core::take_from_queue(record& next) {
  while (station_.queue.peek(next, give_way())) {
    if (station_.queue.take(next)) return true;
  }
  return false;
}

std::optional<signal_info> dispatcher_core::take_one() {
  record next{};
  {
    const std::lock_guard lock(mutex_);
    release_held_threads();
    if (!take_from_queue(next)) return std::nullopt;
  }
  process()->shared_arrivals.handled(next.id);
  counts_of(next).merged.fetch_add(next.merged, std::memory_order_relaxed);
  counts_of(next).handled.fetch_add(1, std::memory_order_relaxed);
  return to_info(next);
}

std::uint64_t dispatcher_core::waiting_now() {
  const std::lock_guard lock(mutex_);
  return parked_.size() + station_.queue.backlog();
}

bool dispatcher_core::has_something_to_run() {
  const std::lock_guard lock(mutex_);
  return station_.queue.backlog() != 0 ||
         std::any_of(parked_.begin(), parked_.end(),
                     [&](const parked& p) { return !running_.contains(p.arrival.info.si_signo); });
}

void dispatcher_core::settle(int signum) {
  const auto match = [&](const parked& p) { return p.arrival.info.si_signo == signum; };
  for (;;) {
    if (delivery_ended()) return;                               // pending arrivals are forgotten
    if (registry::instance().wanted_at(signum, *this)) return;  // by somebody new, who gets them
    parked found{};
    {
      const std::lock_guard lock(mutex_);
      park_all();
      const auto at = std::find_if(parked_.begin(), parked_.end(), match);
      if (at == parked_.end()) {
        release_held_threads();  // perhaps for us
        return;
      }
      found = *at;
      parked_.erase(at);
    }
    if (found.after != 0) continue;  // it was handled, by those before the one that has left
    counts_of(found.arrival).merged.fetch_add(found.arrival.merged, std::memory_order_relaxed);
    dispose(found.arrival);
  }
}

// --- loose ones ---------------------------------------------------------------------------------

void dispatcher_core::become_loose(std::uint64_t limit, bool lossy) noexcept {
  loose_ = true;
  limit_ = limit;
  lossy_ = lossy;
  station_.thread.store(0);
  station_.attention.store(nullptr);
  station_.queue.configure(limit, lossy);
}

int dispatcher_core::descriptor() {
  if (descriptor_.to_poll < 0) {
    descriptor_ = platform::make_doorbell_descriptor();
    station_.doorbell.store(descriptor_.to_write + 1);
    if (has_something_to_run()) raise();  // from before
  }
  return descriptor_.to_poll;
}

void dispatcher_core::lower_descriptor() noexcept {
  if (descriptor_.to_poll < 0) return;
  platform::empty(descriptor_);
  station_.is_readable.exchange(0);
}

void dispatcher_core::close_descriptor() noexcept {
  if (descriptor_.to_poll < 0) return;
  station_.doorbell.store(0);
  wait_for_handlers_in_progress();  // nobody writes to it any more
  platform::close(descriptor_);
  station_.is_readable.store(0);
}

void dispatcher_core::raise() noexcept {
  if (loose_) {
    in_handler::wake(station_);
  } else {
    attention.store(1);
  }
}

void dispatcher_core::arm_alarm() {
  const auto next = timers_.earliest();
  if (next != timer_queue::time_point::max()) alarm_.arm(next, station_);
}

void dispatcher_core::become_ordinary() noexcept {
  if (!loose_) return;
  alarm_.disarm();
  close_descriptor();
  loose_ = false;
  limit_ = 0;
  lossy_ = false;
  station_.queue.configure(0, false);
}

bool dispatcher_core::is_here() const noexcept {
  return station_.attention.load(std::memory_order_acquire) == &attention;
}

void dispatcher_core::set_thread_here() noexcept {
  wait_here();
  attention.store(1);  // there may be arrivals from before
}

void dispatcher_core::wait_here() noexcept {
  station_.thread.store(in_handler::this_thread());
  station_.attention.exchange(&attention);  // see wake()
}

// A handler may still be looking at this thread's word: see outlive_handlers().
void dispatcher_core::leave() noexcept {
  station_.attention.store(nullptr);
  station_.thread.store(0);
}

void dispatcher_core::forget_records(const signal_set& running) noexcept {
  if (mutex_.try_lock()) {
    parked_.clear();
    mutex_.unlock();
  } else {  // another thread of the parent was changing them: not to be touched
    new (&mutex_) std::mutex();
    new (&parked_) std::deque<parked>();
  }
  running_ = running;
  timers_.after_fork_in_child();
  if (!loose_) return;
  new (&alarm_) platform::alarm_thread::entry();
  if (dispatcher_thread_ != &attention) {
    running_ = {};
    dispatches_.store(0);
  }
  awaited.store(false);
  station_.queue.configure(limit_, lossy_);
  platform::remake(descriptor_);
  station_.doorbell.store(descriptor_.to_write + 1);
  raise();  // for its timers
}

// Takes no lock, and frees nothing: see in_handler/exec.hpp.
void dispatcher_core::send_parked_again() noexcept {
  for (dispatcher_core* core = all_cores.load(); core != nullptr; core = core->next_) {
    for (const parked& each : core->parked_) {
      if (each.after != 0 || !process()->shared_arrivals.give_up(each.arrival.id)) continue;
      in_handler::os::send_again(each.arrival.info);
    }
  }
}

bool dispatcher_core::is_forgotten() {
  const std::lock_guard lock(mutex_);
  return timers_.is_empty() && parked_.empty() && station_.queue.backlog() == 0 &&
         dispatches_.load() == 0 && token_.use_count() == 1;
}

}  // namespace sigpp::inline v1::detail
