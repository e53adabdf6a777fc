#include "registry.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <utility>

#include <sigpp/names.hpp>
#include <sigpp/signal.hpp>
#include <sigpp/signal_set.hpp>

#include "dispatcher.hpp"
#include "errors.hpp"
#include "platform/platform.hpp"
#include "process.hpp"

namespace sigpp::inline v1 {

namespace {

using in_handler::shared;

bool is_ours(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == in_handler::sigpp_on_signal;
}

struct sigaction our_action() noexcept {
  struct sigaction action {};
  action.sa_sigaction = in_handler::sigpp_on_signal;
  // SA_RESTART: docs/decisions/0003-sa-restart.md. SA_ONSTACK: programs with Go code in them need
  // it.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigfillset(&action.sa_mask);
  return action;
}

struct sigaction native_action(const handler& h) noexcept {
  if (h.is_callable()) return our_action();
  if (h.is_foreign()) return *h.native_handle();
  struct sigaction action {};
  action.sa_handler = h.is_ignore() ? SIG_IGN : SIG_DFL;
  sigemptyset(&action.sa_mask);
  return action;
}

void change_action(int signum, const struct sigaction* action, struct sigaction* old) {
  if (platform::set_action(signum, action, old) != 0) {
    throw_errno(errno, "signal", "the action of " + signal_name(signum));
  }
}

}  // namespace

registry& registry::instance() noexcept {
  // Placement: no destructor, no allocation.
  alignas(registry) static std::array<std::byte, sizeof(registry)> memory;
  static auto* const one = new (memory.data()) registry;
  return *one;
}

handler registry::describe(int signum, const struct sigaction& installed) {
  const handler& ours = table_[static_cast<std::size_t>(signum)];
  if (is_ours(installed)) return ours;
  return handler::from_native(installed);
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

void registry::install_doorbell() {
  struct sigaction before;
  change_action(SIGPP_DOORBELL_SIGNAL, nullptr, &before);
  if (is_ours(before)) return;
  keep_previous(SIGPP_DOORBELL_SIGNAL, before);
  table_[SIGPP_DOORBELL_SIGNAL] = handler::from_native(before);
  const struct sigaction action = our_action();
  change_action(SIGPP_DOORBELL_SIGNAL, &action, nullptr);
}

void registry::install(int signum, const handler& h) {
  auto& recorded = shared.recorded[static_cast<std::size_t>(signum)];
  if (signum == SIGPP_DOORBELL_SIGNAL) {  // our handler stays, and does what this one would
    install_doorbell();
    if (!h.is_callable()) keep_previous(signum, native_action(h));
    recorded.store(h.is_callable());
    return;
  }
  const struct sigaction action = native_action(h);
  if (h.is_callable()) {
    struct sigaction before;
    change_action(signum, nullptr, &before);
    if (!is_ours(before)) keep_previous(signum, before);
    recorded.store(true);
    change_action(signum, &action, nullptr);
  } else {
    change_action(signum, &action, nullptr);
    recorded.store(false);
  }
}

handler registry::set(int signum, handler h) {
  const bool deferred = h.is_callable();
  handler previous;
  on_main_thread();  // if it is, hear of its end from now on
  {
    const std::lock_guard lock(mutex_);
    start_delivery();
    struct sigaction before;
    change_action(signum, nullptr, &before);
    previous = describe(signum, before);
    if (deferred) install_doorbell();
    if (!deferred || !delivery_ended()) install(signum, h);
    std::swap(table_[static_cast<std::size_t>(signum)], h);
  }
  if (!deferred) dispatcher::main().settle(signum);
  return previous;
}

handler registry::get(int signum) {
  const std::lock_guard lock(mutex_);
  struct sigaction installed;
  change_action(signum, nullptr, &installed);
  return describe(signum, installed);
}

handler registry::current(int signum) {
  const std::lock_guard lock(mutex_);
  return table_[static_cast<std::size_t>(signum)];
}

void registry::reset_all() noexcept {
  const std::lock_guard lock(mutex_);
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int n = 1; n < static_cast<int>(table_.size()); ++n) {
    if (!table_[static_cast<std::size_t>(n)].is_callable()) continue;
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

handler detail::signal_function::operator()(int signum, handler h) const {
  require_catchable(signum, "signal");
  if (signum == SIGPP_DOORBELL_SIGNAL && !platform::doorbell_can_be_shared()) {
    throw_errno(EINVAL, "signal", signal_name(signum) + " is sigpp's doorbell on this system");
  }
  return registry::instance().set(signum, std::move(h));
}

handler getsignal(int signum) {
  require_valid(signum, "getsignal");
  return registry::instance().get(signum);
}

}  // namespace sigpp::inline v1
