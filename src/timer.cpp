#include <sigpp/timer.hpp>

#include <stdexcept>

#include "dispatcher_core.hpp"
#include "process.hpp"
#include "registry.hpp"
#include "safe_point.hpp"
#include "timer_queue.hpp"

namespace sigpp::inline v1 {

namespace {

// A thread arms the kernel's timer itself.
void tell(detail::dispatcher_core& core) {
  if (core.is_loose()) return core.arm_alarm();
  detail::registry::instance().wake(core);
}

}  // namespace

detail::timer_handle detail::make_timer(std::chrono::steady_clock::time_point first,
                                        std::chrono::nanoseconds period, timer_function f,
                                        const dispatcher& where) {
  prepare_this_thread();
  timer_handle node(new timer_node);
  node->next = first;
  node->period = period;
  node->f = std::move(f);
  node->where = where.core().token();
  if (node->where->timers().add(*node)) tell(*node->where);
  return node;
}

bool timer::cancel() noexcept {
  if (!node_) return false;
  const auto node = std::move(node_);
  return node->where->timers().end(*node);
}

timer::operator bool() const noexcept { return node_ && node_->where->timers().is_pending(*node_); }

std::chrono::nanoseconds timer::remaining() const {
  if (!*this) return {};
  const auto left = node_->where->timers().next_of(*node_) - std::chrono::steady_clock::now();
  return left > left.zero() ? left : left.zero();
}

void timer::reschedule_at(std::chrono::steady_clock::time_point at) {
  if (!node_) throw std::logic_error("sigpp::timer: there is none");
  if (node_->where->timers().reschedule(*node_, at)) tell(*node_->where);
}

}  // namespace sigpp::inline v1
