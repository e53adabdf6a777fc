#include <sigpp/timer.hpp>

#include <stdexcept>

#include "dispatcher_core.hpp"
#include "process.hpp"
#include "registry.hpp"
#include "thread_control.hpp"
#include "timer_queue.hpp"

namespace sigpp::inline v1 {

namespace {

// A thread arms the kernel's timer itself. For what is later than that already, it need not.
void tell(detail::dispatcher_core& core, std::chrono::steady_clock::time_point at) {
  if (core.is_loose()) return core.arm_alarm();
  const detail::thread_control* const here = detail::known_control();
  if (here != nullptr && here->is_armed_for(at) && core.is_here()) return;
  detail::registry::instance().wake(core);
}

}  // namespace

timer detail::make_timer(std::chrono::steady_clock::time_point first,
                         std::chrono::nanoseconds period, timer_function f,
                         const dispatcher* where) {
  prepare_this_thread();
  dispatcher_core& core = where != nullptr ? where->core() : main_core();
  std::unique_ptr<timer_node> node(
      new timer_node{.where = &core, .f = std::move(f), .period = period});
  const bool is_first = core.timers().add(node, first);
  timer made(timer_handle(node.release()));
  if (is_first) tell(core, first);
  return made;
}

void detail::let_go_of_timer::operator()(timer_node* node) const noexcept {
  node->where->timers().detach(*node);
}

bool timer::cancel() noexcept {
  detail::timer_node* const node = node_.release();
  return node != nullptr && node->where->timers().end(*node);
}

timer::operator bool() const noexcept {
  return node_ && node_->where->timers().next_of(*node_).has_value();
}

std::chrono::nanoseconds timer::remaining() const {
  const auto next = node_ ? node_->where->timers().next_of(*node_) : std::nullopt;
  if (!next) return {};
  const auto left = *next - std::chrono::steady_clock::now();
  return left > left.zero() ? left : left.zero();
}

void timer::reschedule_at(std::chrono::steady_clock::time_point at) {
  if (!node_) throw std::logic_error("sigpp::timer: there is none");
  if (node_->where->timers().reschedule(*node_, at)) tell(*node_->where, at);
}

}  // namespace sigpp::inline v1
