// The registry's dispatchers: whose safe points, which thread's, and what becomes of them when that
// ends or the process forks.
#include <algorithm>
#include <condition_variable>
#include <new>
#include <utility>

#include <sigpp/check.hpp>

#include "process.hpp"
#include "registry.hpp"

namespace sigpp::inline v1::detail {

using in_handler::shared;

// Under the lock.
bool registry::may_be_given_away(dispatcher_core& core) {
  return core.is_forgotten() &&
         std::none_of(table_.begin(), table_.end(), [&](const entry& e) { return wants(e, core); });
}

dispatcher_core* registry::take_idle_core() {
  start_delivery();
  install_doorbell();
  for (auto core = idle_.begin(); core != idle_.end(); ++core) {
    if (!(*core)->is_forgotten()) continue;
    dispatcher_core* const again = *core;
    idle_.erase(core);
    return again;
  }
  for (auto core = adopted_.begin(); core != adopted_.end(); ++core) {
    if (!may_be_given_away(**core)) continue;
    dispatcher_core* const again = *core;
    adopted_.erase(core);
    return again;
  }
  return &cores_.emplace_back(make_station());
}

dispatcher_core& registry::make_core() {
  const std::lock_guard lock(mutex_);
  dispatcher_core& core = *take_idle_core();
  let_the_doorbell_in();
  core.set_thread_here();
  return core;
}

dispatcher_core& registry::make_loose_core(std::uint64_t limit, bool lossy) {
  const std::lock_guard lock(mutex_);
  dispatcher_core& core = *take_idle_core();
  core.become_loose(limit, lossy);
  return core;
}

void registry::retire(dispatcher_core& core) {
  core.become_ordinary();
  {
    const std::lock_guard lock(mutex_);
    if (may_be_given_away(core)) return idle_.push_back(&core);
  }
  adopt(core);
}

void registry::begin_background(dispatcher_core& there) { move_slots(nullptr, &there); }

// Unless another one has begun since.
void registry::end_background(dispatcher_core& there) { move_slots(&there, nullptr); }

dispatcher_core& registry::slots_are_called_at() {
  const std::lock_guard lock(mutex_);
  start_delivery();
  return background_ != nullptr ? *background_ : main_core();
}

void registry::move_slots(dispatcher_core* from, dispatcher_core* to) {
  std::vector<std::pair<int, dispatcher_core*>> dropped;
  {
    const std::lock_guard lock(mutex_);
    if (from != nullptr && from != background_) return;
    background_ = to;
    for (int n = 1; n < static_cast<int>(table_.size()); ++n) {
      const entry& e = at(n);
      if (!e.slot.is_callable()) continue;
      if (wanted(e)) {
        if (!delivery_ended()) take_over(n, false);
      } else {
        give_back(n);
      }
      for (dispatcher_core* core : drop_routes(n)) dropped.emplace_back(n, core);
    }
  }
  if (dropped.empty()) return;
  wait_for_handlers_in_progress();
  for (const auto& [signum, core] : dropped) core->settle(signum);
}

void registry::adopt(dispatcher_core& core) {
  {
    const std::lock_guard lock(mutex_);
    adopted_.push_back(&core);
    has_adopted_.store(true);
    in_handler::station& main = main_core().station();
    core.station().thread.store(main.thread.load());
    core.station().attention.store(main.attention.load(), std::memory_order_release);
  }
  wait_for_handlers_in_progress();  // they may be looking at the old thread's word
  in_handler::wake(main_core().station());
  bool alone = false;
  {
    const std::lock_guard lock(mutex_);
    alone = main_thread_left_;
    if (may_be_given_away(core)) {  // each adopted one costs the main thread's safe points
      std::erase(adopted_, &core);
      has_adopted_.store(!adopted_.empty());
      idle_.push_back(&core);
    }
  }
  if (alone) main_thread_has_left();
}

void registry::bring_adopted_here() noexcept {
  for (dispatcher_core* core : adopted_) core->set_thread_here();
}

// As if everybody there had left; a function in the slot of signal() is nobody then.
void registry::main_thread_has_left() {
  std::vector<std::pair<int, dispatcher_core*>> dropped;
  {
    const std::lock_guard lock(mutex_);
    main_thread_left_ = true;
    for (int n = 1; n < static_cast<int>(table_.size()); ++n) {
      if (!shared.recorded[static_cast<std::size_t>(n)].load()) continue;
      if (!wanted(at(n))) give_back(n);
      for (dispatcher_core* core : drop_routes(n)) dropped.emplace_back(n, core);
    }
  }
  wait_for_handlers_in_progress();
  for (const auto& [signum, core] : dropped) core->settle(signum);
}

std::vector<dispatcher_core*> registry::adopted() {
  const std::lock_guard lock(mutex_);
  return adopted_;
}

bool registry::hold_here(dispatcher_core& core) {
  const std::lock_guard lock(mutex_);
  if (!core.is_here()) return false;
  core.hold();
  return true;
}

void registry::lock_timers() {
  main_core().timers().mutex().lock();
  for (dispatcher_core& core : cores_) core.timers().mutex().lock();
}

void registry::unlock_timers() {
  main_core().timers().mutex().unlock();
  for (dispatcher_core& core : cores_) core.timers().mutex().unlock();
}

void registry::after_fork_in_child() noexcept {
  new (&call_ended_) std::condition_variable();  // its waiters are gone
  main_thread_left_ = false;
  const signal_set none;
  for (dispatcher_core& core : cores_) {
    const bool idle = std::find(idle_.begin(), idle_.end(), &core) != idle_.end();
    if (core.is_loose() || idle) {
      core.forget_records(idle ? none : core.running());
      continue;
    }
    if (std::find(adopted_.begin(), adopted_.end(), &core) == adopted_.end()) {
      adopted_.push_back(&core);
      has_adopted_.store(true);
    }
    core.forget_records(&core == own_core() ? core.running() : none);
    core.set_thread_here();
  }
  for (entry& e : table_) {
    for (const auto& who : e.subscribers) {
      if (who->runner != &attention) who->calls = 0;
    }
  }
}

}  // namespace sigpp::inline v1::detail
