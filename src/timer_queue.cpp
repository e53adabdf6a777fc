#include "timer_queue.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include <sigpp/check.hpp>

namespace sigpp::inline v1::detail {

namespace {
using std::chrono::steady_clock;
}

void let_go_of_timer::operator()(timer_node* node) const noexcept {
  // The last holder is alone: nobody else could make it two.
  if (node->holders.load(std::memory_order_acquire) == 1 || node->holders.fetch_sub(1) == 1) {
    delete node;
  }
}

// An address of its own: it stays the thread's in a forked child, as a number of the system does
// not.
const void* timer_queue::this_thread() noexcept { return &attention; }

void timer_queue::put(std::size_t place, entry what) noexcept {
  what.node->place = static_cast<std::uint32_t>(place);
  heap_[place] = what;
}

void timer_queue::up(std::size_t place) noexcept {
  const entry what = heap_[place];
  for (; place > 0; place = (place - 1) / 2) {
    const entry& parent = heap_[(place - 1) / 2];
    if (parent.next <= what.next) break;
    put(place, parent);
  }
  put(place, what);
}

void timer_queue::down(std::size_t place) noexcept {
  const entry what = heap_[place];
  for (;;) {
    std::size_t child = 2 * place + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].next < heap_[child].next) ++child;
    if (what.next <= heap_[child].next) break;
    put(place, heap_[child]);
    place = child;
  }
  put(place, what);
}

// Also for the running ones, which come back: finish() must not fail.
void timer_queue::make_room() {
  const std::size_t needed = heap_.size() + running_.size() + 1;
  if (needed > heap_.capacity()) heap_.reserve(std::max(2 * heap_.capacity(), needed + 15));
}

// Who calls it gives a hold of the node to the heap, as remove() gives it back.
void timer_queue::insert(timer_node& node) noexcept {
  heap_.push_back({node.next, &node});
  up(heap_.size() - 1);
}

void timer_queue::remove(timer_node& node) noexcept {
  const std::size_t place = std::exchange(node.place, timer_node::nowhere);
  const entry last = heap_.back();
  heap_.pop_back();
  if (place == heap_.size()) return;
  heap_[place] = last;
  if (place > 0 && last.next < heap_[(place - 1) / 2].next) {
    up(place);
  } else {
    down(place);
  }
}

void timer_queue::publish() noexcept {
  const auto first = heap_.empty() ? time_point::max() : heap_.front().next;
  const auto count = first.time_since_epoch().count();
  if (earliest_.load(std::memory_order_relaxed) != count) earliest_.store(count);
}

bool timer_queue::add(timer_node& node) {
  const std::lock_guard lock(mutex_);
  make_room();
  node.holders.store(2, std::memory_order_relaxed);  // a new one, which nobody else knows
  insert(node);
  publish();
  return node.place == 0;
}

bool timer_queue::reschedule(timer_node& node, time_point at) {
  const std::lock_guard lock(mutex_);
  if (node.runner != nullptr) {
    node.next = at;
    node.ended = false;
    node.moved = true;
    return false;  // its thread will see it
  }
  make_room();
  node.next = at;
  node.ended = false;
  if (node.place != timer_node::nowhere) {
    remove(node);
  } else {
    ++node.holders;
  }
  insert(node);
  publish();
  return node.place == 0;
}

bool timer_queue::end(timer_node& node) noexcept {
  timer_handle gone;  // its function is destroyed outside the lock
  std::unique_lock lock(mutex_);
  const bool pending = node.place != timer_node::nowhere ||
                       (node.runner != nullptr && !node.ended && node.period.count() != 0);
  node.ended = true;
  node.moved = false;
  if (node.place != timer_node::nowhere) {
    remove(node);
    gone.reset(&node);
    publish();
  }
  ended_.wait(lock, [&] { return node.runner == nullptr || node.runner == this_thread(); });
  return pending;
}

bool timer_queue::is_pending(const timer_node& node) {
  const std::lock_guard lock(mutex_);
  return node.place != timer_node::nowhere || node.moved ||
         (node.runner != nullptr && !node.ended && node.period.count() != 0);
}

timer_queue::time_point timer_queue::next_of(const timer_node& node) {
  const std::lock_guard lock(mutex_);
  return node.next;
}

void timer_queue::finish(timer_node& node) noexcept {
  timer_handle gone;  // as in end()
  const std::lock_guard lock(mutex_);
  node.runner = nullptr;
  std::erase(running_, &node);
  const bool again = !node.ended && (node.moved || node.period.count() != 0);
  if (again && !node.moved) node.next += node.period;
  node.moved = false;
  if (again) {
    insert(node);
  } else {
    gone.reset(&node);
  }
  publish();
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
      if (heap_.empty() || heap_.front().next > now) return ran;
      node = heap_.front().node;
      running_.push_back(node);
      remove(*node);
      node->runner = this_thread();
      if (node->period.count() != 0) {
        missed = static_cast<std::uint64_t>((now - node->next) / node->period);
        node->next += node->period * static_cast<std::int64_t>(missed);
      }
      publish();
    }
    struct finishing {
      timer_queue& queue;
      timer_node& node;
      ~finishing() { queue.finish(node); }
    } const guard{*this, *node};
    node->f(missed);
    ++ran;
  }
  return ran;
}

bool timer_queue::is_empty() {
  const std::lock_guard lock(mutex_);
  return heap_.empty() && running_.empty();
}

void timer_queue::after_fork_in_child() noexcept {
  new (&ended_) std::condition_variable();
  for (auto at = running_.begin(); at != running_.end();) {
    if ((*at)->runner == this_thread()) {
      ++at;
      continue;
    }
    timer_node& node = **at;
    node.runner = nullptr;
    node.moved = false;
    if (node.ended) {
      let_go_of_timer{}(&node);
    } else {
      insert(node);  // there is room: see make_room()
    }
    at = running_.erase(at);
  }
  publish();
}

}  // namespace sigpp::inline v1::detail
