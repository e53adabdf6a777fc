#include "timer_queue.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include <sigpp/check.hpp>

#include "storm.hpp"

namespace sigpp::inline v1::detail {

namespace {

using std::chrono::steady_clock;

// An address of its own: it stays the thread's in a forked child, as a number of the system does
// not.
const void* this_thread() noexcept { return &attention; }

}  // namespace

void timer_queue::put(std::size_t place, entry what) noexcept {
  places_[what.number] = static_cast<std::uint32_t>(place);
  at(place) = what;
}

void timer_queue::up(std::size_t place, entry what) noexcept {
  while (place > root) {
    const std::size_t parent = parent_of(place);
    if (at(parent).next <= what.next) break;
    put(place, at(parent));
    place = parent;
  }
  put(place, what);
}

void timer_queue::down(std::size_t place, entry what) noexcept {
  for (;;) {
    const std::size_t first = first_child_of(place);
    if (first >= end_) break;
    std::size_t child = first;
    for (std::size_t other = first + 1; other < std::min(first + 4, end_); ++other) {
      if (at(other).next < at(child).next) child = other;
    }
    if (what.next <= at(child).next) break;
    put(place, at(child));
    place = child;
  }
  put(place, what);
}

// For one more node. So there is room also for those that run and come back: that must not fail.
void timer_queue::make_room() {
  if (free_ != nowhere) return;
  const std::size_t made = places_.size();
  while (4 * heap_.size() <= root + made) heap_.emplace_back();
  nodes_.resize(made + 1);
  places_.push_back(nowhere);
  free_ = static_cast<std::uint32_t>(made);
}

void timer_queue::insert(std::uint32_t number, time_point next) noexcept {
  up(end_++, {next, number});
}

void timer_queue::remove(std::uint32_t number) noexcept {
  const std::size_t place = std::exchange(places_[number], nowhere);
  const entry last = at(--end_);
  if (place == end_) return;
  if (place > root && last.next < at(parent_of(place)).next) {
    up(place, last);
  } else {
    down(place, last);
  }
}

void timer_queue::publish() noexcept {
  const auto first = end_ == root ? time_point::max() : at(root).next;
  const auto count = first.time_since_epoch().count();
  if (earliest_.load(std::memory_order_relaxed) != count) {
    earliest_.store(count, std::memory_order_release);
  }
}

bool timer_queue::add(std::unique_ptr<timer_node>& node, time_point when) {
  const std::lock_guard lock(mutex_);
  make_room();
  node->number = free_;
  free_ = std::exchange(places_[free_], nowhere);
  nodes_[node->number] = node.get();
  ++used_;
  insert(node->number, when);
  publish();
  return place_of(*node) == root;
}

bool timer_queue::reschedule(timer_node& node, time_point when) {
  const std::lock_guard lock(mutex_);
  if (running* const call = call_of(node)) {  // its thread will see it
    call->next = when;
    call->then = running::moved;
    return false;
  }
  if (place_of(node) != nowhere) remove(node.number);
  insert(node.number, when);
  publish();
  return place_of(node) == root;
}

// Nobody refers to it any more. It is destroyed outside the lock, as its function may be anything.
std::unique_ptr<timer_node> timer_queue::forget(timer_node& node) noexcept {
  nodes_[node.number] = nullptr;
  places_[node.number] = std::exchange(free_, node.number);
  --used_;
  return std::unique_ptr<timer_node>(&node);
}

timer_queue::running* timer_queue::call_of(const timer_node& node) noexcept {
  for (running& each : running_) {
    if (each.node == &node) return &each;
  }
  return nullptr;
}

bool timer_queue::end(timer_node& node) noexcept {
  std::unique_ptr<timer_node> gone;
  std::unique_lock lock(mutex_);
  if (place_of(node) != nowhere) {
    remove(node.number);
    publish();
    gone = forget(node);
    return true;
  }
  running* call = call_of(node);
  const bool pending = call != nullptr && call->comes_again();
  if (call != nullptr) {
    call->then = running::ended;
    ended_.wait(lock, [&] {
      call = call_of(node);
      return call == nullptr || call->thread == this_thread();
    });
  }
  node.has_object = false;
  if (call == nullptr) gone = forget(node);
  return pending;
}

void timer_queue::detach(timer_node& node) noexcept {
  std::unique_ptr<timer_node> gone;
  const std::lock_guard lock(mutex_);
  node.has_object = false;
  if (place_of(node) == nowhere && call_of(node) == nullptr) gone = forget(node);
}

std::optional<timer_queue::time_point> timer_queue::next_of(const timer_node& node) {
  const std::lock_guard lock(mutex_);
  if (const auto place = place_of(node); place != nowhere) return at(place).next;
  const running* const call = call_of(node);
  if (call != nullptr && call->comes_again()) return call->again();
  return std::nullopt;
}

void timer_queue::finish(timer_node& node) noexcept {
  std::unique_ptr<timer_node> gone;
  const std::lock_guard lock(mutex_);
  const running call = *call_of(node);
  std::erase_if(running_, [&](const running& each) { return each.node == &node; });
  if (call.comes_again()) {
    insert(node.number, call.again());
    publish();
  } else if (!node.has_object) {
    gone = forget(node);
  }
  ended_.notify_all();
}

// A periodic one that runs is not in the heap, so it never runs inside itself.
unsigned timer_queue::run_due() {
  unsigned ran = 0;
  const time_point now = steady_clock::now();
  while (earliest() <= now) {
    timer_node* node = nullptr;
    std::uint64_t missed = 0;
    {
      const std::lock_guard lock(mutex_);
      if (end_ == root || at(root).next > now) return ran;
      const entry first = at(root);
      node = nodes_[first.number];
      running call{node, this_thread(), first.next, running::as_planned};
      if (node->period.count() != 0) {
        missed = static_cast<std::uint64_t>((now - call.next) / node->period);
        call.next += node->period * static_cast<std::int64_t>(missed);
      }
      running_.push_back(call);
      remove(first.number);
      publish();
    }
    struct finishing {
      timer_queue& queue;
      timer_node& node;
      ~finishing() { queue.finish(node); }
    } const guard{*this, *node};
    storm::look_within();
    node->f(missed);
    ++ran;
  }
  return ran;
}

bool timer_queue::is_empty() {
  const std::lock_guard lock(mutex_);
  return used_ == 0;
}

void timer_queue::after_fork_in_child() noexcept {
  new (&ended_) std::condition_variable();
  std::erase_if(running_, [&](const running& call) {
    if (call.thread == this_thread()) return false;
    if (call.then != running::ended) {
      insert(call.node->number, call.next);
    } else {  // not destroyed: its function may want a lock that its thread held
      static_cast<void>(forget(*call.node).release());
    }
    return true;
  });
  publish();
}

}  // namespace sigpp::inline v1::detail
