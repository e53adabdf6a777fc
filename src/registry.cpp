#include "registry.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <new>
#include <utility>

#include <sigpp/check.hpp>
#include <sigpp/names.hpp>
#include <sigpp/run.hpp>
#include <sigpp/signal.hpp>

#include "errors.hpp"
#include "platform/platform.hpp"
#include "process.hpp"
#include "storm.hpp"

namespace sigpp::inline v1 {

namespace detail {

using in_handler::shared;

namespace {

struct sigaction our_action() noexcept {
  struct sigaction action {};
  action.sa_sigaction = in_handler::sigpp_on_signal;
  // SA_RESTART: docs/decisions/0003-sa-restart.md. SA_ONSTACK: programs with Go code in them need
  // it.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  // What a language runtime calls shall end when it has been told.
  if (shared.runtime.load() == nullptr) action.sa_flags |= SA_RESTART;
  sigfillset(&action.sa_mask);
  return action;
}

struct sigaction native_action(const handler& h) noexcept {
  if (const struct sigaction* native = h.native_handle()) return *native;
  struct sigaction action {};
  action.sa_handler = h.is_ignore() ? SIG_IGN : SIG_DFL;
  sigemptyset(&action.sa_mask);
  return action;
}

void change_action(int signum, const struct sigaction* action, struct sigaction* old,
                   const char* function = "signal") {
  if (platform::set_action(signum, action, old) != 0) {
    throw_errno(errno, function, "the action of " + signal_name(signum));
  }
}

}  // namespace

registry& registry::instance() noexcept {
  // Placement: no destructor.
  alignas(registry) static std::array<std::byte, sizeof(registry)> memory;
  static auto* const one = new (memory.data()) registry;
  return *one;
}

// --- the system's side --------------------------------------------------------------------------

handler registry::describe(int signum, const struct sigaction& installed) {
  return is_ours(installed) ? at(signum).slot : handler::from_native(installed);
}

// For faults and for the doorbell: what a signal does that is not to be deferred. The handler may
// read the old one at any time, so none is ever freed; one that was kept before is used again.
void registry::keep_previous(int signum, const struct sigaction& action) {
  const auto same = [&](const struct sigaction& kept) {
    return kept.sa_flags == action.sa_flags && kept.sa_handler == action.sa_handler &&
           signal_set(kept.sa_mask) == signal_set(action.sa_mask);
  };
  auto found = std::find_if(kept_.begin(), kept_.end(), same);
  if (found == kept_.end()) found = kept_.insert(kept_.end(), action);
  shared.previous[static_cast<std::size_t>(signum)].store(&*found, std::memory_order_release);
}

// For programs that are started: see <sigpp/exec.hpp>.
void registry::note_before(int signum, const struct sigaction& before) noexcept {
  auto& was = shared.was[static_cast<std::size_t>(signum)];
  if (was.load() != shared.unchanged) return;
  const bool is_ignored = (before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_IGN;
  was.store(is_ignored ? shared.ignored : shared.caught_or_default);
}

void registry::install_doorbell() {
  struct sigaction before;
  change_action(SIGPP_DOORBELL_SIGNAL, nullptr, &before);
  if (is_ours(before)) return;
  keep_previous(SIGPP_DOORBELL_SIGNAL, before);
  handler& slot = at(SIGPP_DOORBELL_SIGNAL).slot;
  if (!slot.is_callable()) slot = handler::from_native(before);
  const struct sigaction action = our_action();
  change_action(SIGPP_DOORBELL_SIGNAL, &action, nullptr);
}

// keyboard_interrupt is for the main thread.
void registry::put_in_slot(entry& e, handler& h) {
  std::swap(e.slot, h);
  static const auto* const mains = new handler(default_int_handler);  // never destroyed
  e.slot_is_mains = e.slot == *mains;
}

dispatcher_core& registry::slot_core(const entry& e) const noexcept {
  return background_ == nullptr || e.slot_is_mains ? main_core() : *background_;
}

// Has it a thread that may reach a safe point?
bool registry::runs(dispatcher_core& where) const noexcept {
  if (!main_thread_left_) return true;
  return &where != &main_core() &&
         std::find(adopted_.begin(), adopted_.end(), &where) == adopted_.end();
}

bool registry::wants(const entry& e, dispatcher_core& where) const noexcept {
  if (!runs(where)) return false;
  return (&where == &slot_core(e) && e.slot.is_callable()) ||
         std::any_of(e.subscribers.begin(), e.subscribers.end(),
                     [&](const auto& who) { return who->where == &where; });
}

bool registry::wanted(const entry& e) const noexcept {
  if (e.slot.is_callable() && runs(slot_core(e))) return true;
  return std::any_of(e.subscribers.begin(), e.subscribers.end(),
                     [&](const auto& who) { return runs(*who->where); });
}

void registry::add_route(int signum, in_handler::station& to) {
  auto& head = shared.routes[static_cast<std::size_t>(signum)];
  in_handler::route* free = nullptr;
  for (auto* at = head.load(); at != nullptr; at = at->next.load()) {
    if (at->to.load() == &to) return;
    if (at->to.load() == nullptr) free = at;
  }
  if (free != nullptr) {
    free->to.store(&to, std::memory_order_release);
    return;
  }
  in_handler::route& made = routes_.emplace_back();
  made.to.store(&to);
  made.next.store(head.load());
  head.store(&made, std::memory_order_release);
}

// Where nobody wants the signal any more it shall not go. Returns these places.
std::vector<dispatcher_core*> registry::drop_routes(int signum) {
  std::vector<dispatcher_core*> dropped;
  const auto drop = [&](dispatcher_core& core) {
    for (auto* route = shared.routes[static_cast<std::size_t>(signum)].load(); route != nullptr;
         route = route->next.load()) {
      if (route->to.load() != &core.station()) continue;
      if (wants(at(signum), core)) return;  // asked where there is a route alone: it is a search
      route->to.store(nullptr, std::memory_order_release);
      dropped.push_back(&core);
    }
  };
  drop(main_core());
  for (dispatcher_core& core : cores_) drop(core);
  return dropped;
}

// The signal shall come to us. Routes first, so that an arrival always finds one.
void registry::take_over(int signum, bool anew) {
  install_doorbell();
  const entry& e = at(signum);
  if (e.slot.is_callable() && runs(slot_core(e))) add_route(signum, slot_core(e).station());
  for (const auto& who : e.subscribers) {
    if (runs(*who->where)) add_route(signum, who->where->station());
  }
  shared.recorded[static_cast<std::size_t>(signum)].store(true);
  if (signum == SIGPP_DOORBELL_SIGNAL) return;
  struct sigaction before;
  change_action(signum, nullptr, &before);
  const bool ours = is_ours(before);
  if (ours && !anew) return;
  if (!ours) keep_previous(signum, before);
  const struct sigaction action = our_action();
  change_action(signum, &action, nullptr);
  shared.restarts[static_cast<std::size_t>(signum)].store(0);
  if (ours) return;
  // A thread in sigwait() has to block this one now, too.
  in_handler::wake(main_core().station());
  for (dispatcher_core& core : cores_) in_handler::wake(core.station());
}

// Nobody here wants the signal any more: its action is what the slot says. false if it was not
// ours: other code has replaced it, and that stays.
bool registry::give_back(int signum) {
  const struct sigaction action = native_action(at(signum).slot);
  // If our handler is called all the same, as other code has put it back, it does what this would.
  keep_previous(signum, action);
  if (signum == SIGPP_DOORBELL_SIGNAL) {  // our handler stays
    shared.recorded[SIGPP_DOORBELL_SIGNAL].store(false);
    return true;
  }
  struct sigaction before;
  change_action(signum, &action, &before);
  const bool ours = is_ours(before);
  if (!ours) change_action(signum, &before, nullptr);
  shared.recorded[static_cast<std::size_t>(signum)].store(false);
  return ours;
}

void registry::reset_all() noexcept {
  const std::lock_guard lock(mutex_);
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int n = 1; n < static_cast<int>(table_.size()); ++n) {
    if (!wanted(at(n))) continue;
    if (n == SIGPP_DOORBELL_SIGNAL) {  // a ring may be on its way
      shared.recorded[SIGPP_DOORBELL_SIGNAL].store(false);
      continue;
    }
    struct sigaction installed;
    if (platform::set_action(n, nullptr, &installed) == 0 && is_ours(installed)) {
      platform::set_action(n, &action, nullptr);
    }
  }
}

// --- the program's side -------------------------------------------------------------------------

// One function in place of another: a single system call, which says whether our handler was there
// still. false: it is not that simple.
bool registry::replace(int signum, handler& h) {
  entry& e = at(signum);
  if (signum == SIGPP_DOORBELL_SIGNAL || !e.slot.is_callable() || !h.is_callable()) return false;
  const dispatcher_core* const where = &slot_core(e);
  put_in_slot(e, h);
  const struct sigaction action = our_action();
  struct sigaction before;
  if (&slot_core(e) == where && runs(slot_core(e)) && !delivery_ended() &&
      platform::set_action(signum, &action, &before) == 0) {
    shared.restarts[static_cast<std::size_t>(signum)].store(0);
    if (is_ours(before)) return true;
    platform::set_action(signum, &before, nullptr);
  }
  put_in_slot(e, h);
  return false;
}

handler registry::set(int signum, handler h) {
  on_main_thread();  // if it is, hear of its end from now on
  storm::end();
  handler previous;
  std::vector<dispatcher_core*> dropped;
  {
    const std::lock_guard lock(mutex_);
    start_delivery();
    if (signum == SIGPP_DOORBELL_SIGNAL) install_doorbell();
    if (replace(signum, h)) return h;
    struct sigaction before;
    change_action(signum, nullptr, &before);
    note_before(signum, before);
    previous = describe(signum, before);
    put_in_slot(at(signum), h);
    try {
      if (wanted(at(signum))) {
        if (!delivery_ended()) take_over(signum, true);
      } else if (!give_back(signum)) {  // replaced by other code, which this call shall end
        const struct sigaction action = native_action(at(signum).slot);
        change_action(signum, &action, nullptr);
      }
    } catch (...) {
      put_in_slot(at(signum), h);
      throw;
    }
    dropped = drop_routes(signum);
  }
  if (!dropped.empty()) wait_for_handlers_in_progress();
  for (dispatcher_core* core : dropped) core->settle(signum);
  return previous;
}

// For what has been put in for a while. If other code has replaced our handler, that stays.
void registry::restore_slot(int signum, const handler& put_in, handler before) {
  std::vector<dispatcher_core*> dropped;
  {
    const std::lock_guard lock(mutex_);
    if (at(signum).slot != put_in) return;
    put_in_slot(at(signum), before);
    if (!wanted(at(signum)) && !delivery_ended()) give_back(signum);
    dropped = drop_routes(signum);
  }
  if (!dropped.empty()) wait_for_handlers_in_progress();
  for (dispatcher_core* core : dropped) core->settle(signum);
}

handler registry::get(int signum) {
  const std::lock_guard lock(mutex_);
  struct sigaction installed;
  change_action(signum, nullptr, &installed, "getsignal");
  return describe(signum, installed);
}

void registry::set_restart(int signum, bool restart) {
  const std::lock_guard lock(mutex_);
  struct sigaction action;
  change_action(signum, nullptr, &action, "siginterrupt");
  action.sa_flags = restart ? action.sa_flags | SA_RESTART : action.sa_flags & ~SA_RESTART;
  change_action(signum, &action, nullptr, "siginterrupt");
  shared.restarts[static_cast<std::size_t>(signum)].store(restart);
}

std::shared_ptr<subscriber> registry::add(const signal_set& signals, handler what,
                                          dispatcher_core& where) {
  on_main_thread();
  storm::end();
  std::vector<handler> displaced;  // destroyed outside the lock
  displaced.reserve(signals.size());
  const std::lock_guard lock(mutex_);
  start_delivery();
  auto who = std::make_shared<subscriber>(
      subscriber{last_id_.load() + 1, signals, std::move(what), &where});
  for (int n : signals) {
    auto& all = at(n).subscribers;
    if (all.size() == all.capacity()) all.reserve(2 * all.size() + 1);
  }
  for (int n : signals) {
    if (n == SIGPP_DOORBELL_SIGNAL) install_doorbell();
    struct sigaction before;
    change_action(n, nullptr, &before, "subscribe");
    note_before(n, before);
    // What was there before is what the slot says, and will be put back.
    if (!is_ours(before)) {
      displaced.push_back(std::exchange(at(n).slot, handler::from_native(before)));
    }
    at(n).subscribers.push_back(who);
    if (!delivery_ended()) take_over(n, false);
  }
  last_id_.fetch_add(1);
  return who;
}

signal_set registry::remove(const std::shared_ptr<subscriber>& who, bool wait) {
  signal_set replaced;
  std::vector<std::pair<int, dispatcher_core*>> dropped;
  {
    const std::lock_guard lock(mutex_);
    for (int n : who->signals) {
      auto& all = at(n).subscribers;
      const auto found = std::find(all.begin(), all.end(), who);
      if (found == all.end()) continue;
      all.erase(found);
      if (!wanted(at(n)) && !delivery_ended() && !give_back(n)) replaced.insert(n);
      for (dispatcher_core* core : drop_routes(n)) dropped.emplace_back(n, core);
    }
  }
  if (!dropped.empty()) wait_for_handlers_in_progress();
  for (const auto& [signum, core] : dropped) core->settle(signum);
  handler last;  // destroyed here, outside the lock, unless a call goes on
  std::unique_lock lock(mutex_);
  if (wait) {
    call_ended_.wait(lock, [&] { return who->calls == 0 || who->runner == &attention; });
  }
  last = std::move(who->what);
  lock.unlock();
  return replaced;
}

// --- dispatch -----------------------------------------------------------------------------------

registry::call registry::next_call(int signum, dispatcher_core& where, std::uint64_t after,
                                   std::uint64_t last) {
  call found;
  const std::lock_guard lock(mutex_);
  const entry& e = at(signum);
  if (after < slot_id && e.slot.is_callable() && &where == &slot_core(e)) {
    found.id_ = slot_id;
    found.what_ = e.slot;
  }
  // They stand in the order of their ids: to call ten thousand of them one by one must not look at
  // all of them each time.
  auto next = std::upper_bound(e.subscribers.begin(), e.subscribers.end(), after,
                               [](std::uint64_t id, const auto& who) { return id < who->id; });
  for (; next != e.subscribers.end() && (*next)->id <= last; ++next) {
    const auto& who = *next;
    if (who->where != &where) continue;
    if (found) {
      found.more_ = true;
      break;
    }
    found.id_ = who->id;
    found.what_ = who->what;
    found.who_ = who;
    ++who->calls;
    who->runner = &attention;
  }
  return found;
}

registry::call::~call() {
  if (!who_) return;
  what_ = handler();  // before those who wait go on
  registry& all = instance();
  const std::lock_guard lock(all.mutex_);
  if (--who_->calls == 0) all.call_ended_.notify_all();
}

void registry::wake(dispatcher_core& core) {
  const std::lock_guard lock(mutex_);
  in_handler::wake(core.station());
}

void registry::prepare() {
  const std::lock_guard lock(mutex_);
  start_delivery();
  install_doorbell();  // also after exit has begun: a timer's ring would kill
}

bool registry::is_ours(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == in_handler::sigpp_on_signal;
}

void registry::attach_runtime(void (*tell)()) {
  storm::end();
  const std::lock_guard lock(mutex_);
  start_delivery();
  install_doorbell();
  shared.runtime.store(tell);
  if (tell != nullptr && process()->nag_timer.load() == nullptr) {
    process()->nag_timer.store(platform::make_nag_timer());
  }
  const struct sigaction action = our_action();
  for (int n : valid_signals()) {
    if (is_installed(n)) change_action(n, &action, nullptr, "attach_runtime");
  }
}

bool registry::is_installed(int signum) noexcept {
  struct sigaction installed;
  return platform::set_action(signum, nullptr, &installed) == 0 && is_ours(installed);
}

bool registry::wanted_at(int signum, dispatcher_core& where) {
  const std::lock_guard lock(mutex_);
  return wants(at(signum), where);
}

bool registry::is_ignored(int signum) {
  const std::lock_guard lock(mutex_);
  const entry& e = at(signum);
  return !wanted(e) && e.slot.is_ignore();
}

// --- set_wakeup_fd ------------------------------------------------------------------------------

void registry::set_wakeup_reporter(std::function<void(std::error_code)> reporter) {
  const std::lock_guard lock(mutex_);
  std::swap(wakeup_reporter_, reporter);
}

void registry::report_wakeup_error(int error) {
  std::function<void(std::error_code)> reporter;
  {
    const std::lock_guard lock(mutex_);
    reporter = wakeup_reporter_;
  }
  if (reporter) reporter({error, std::generic_category()});
}

}  // namespace detail

handler detail::signal_function::operator()(int signum, handler h) const {
  require_catchable(signum, "signal");
  if (signum == SIGPP_DOORBELL_SIGNAL && !platform::doorbell_can_be_shared()) {
    throw_errno(EINVAL, "signal", signal_name(signum) + " is sigpp's doorbell on this system");
  }
  return registry::instance().set(signum, std::move(h));
}

handler getsignal(int signum) {
  require_valid(signum, "getsignal");
  return detail::registry::instance().get(signum);
}

void siginterrupt(int signum, bool flag) {
  require_catchable(signum, "siginterrupt");
  detail::registry::instance().set_restart(signum, !flag);
}

void siginterrupt(int signum, bool flag, std::error_code& error) {
  error.clear();
  try {
    siginterrupt(signum, flag);
  } catch (const std::system_error& failed) {
    error = failed.code();
  }
}

}  // namespace sigpp::inline v1
