#include <sigpp/subscribe.hpp>

#include <signal.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <stdexcept>

#include <sigpp/names.hpp>
#include <sigpp/timer.hpp>

#include "errors.hpp"
#include "mask.hpp"
#include "platform/platform.hpp"
#include "process.hpp"
#include "registry.hpp"

namespace sigpp::inline v1 {

dispatcher main_dispatcher() {
  const std::lock_guard lock(detail::registry::instance().mutex());
  detail::start_delivery();
  return dispatcher(detail::main_core().token());
}

dispatcher this_thread::dispatcher() { return sigpp::dispatcher(detail::this_core().token()); }

// NOLINTNEXTLINE(performance-unnecessary-value-param): a handle, given as std::stop_token is
subscription subscribe(const signal_set& signals, handler f, dispatcher where) {
  if (signals.empty()) throw std::invalid_argument("sigpp::subscribe: no signal");
  if (!f.is_callable()) throw std::invalid_argument("sigpp::subscribe: the handler is no function");
  for (int n : signals) {
    require_catchable(n, "subscribe");
    if (n == SIGPP_DOORBELL_SIGNAL && !platform::doorbell_can_be_shared()) {
      throw_errno(EINVAL, "subscribe", signal_name(n) + " is sigpp's doorbell on this system");
    }
  }
  return subscription(detail::registry::instance().add(signals, std::move(f), where.core()));
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): as above
subscription subscribe(const signal_set& signals, handler f, dispatcher where, exclusive_t) {
  if (where.core().is_loose()) {
    throw std::invalid_argument("sigpp::subscribe: exclusive needs a dispatcher that has a thread");
  }
  subscription made = subscribe(signals, std::move(f), where);
  if (where.core().is_here()) {
    detail::change_mask(SIG_UNBLOCK, signals);
    return made;
  }
  call_later(
      std::chrono::seconds(0), [signals] { detail::change_mask(SIG_UNBLOCK, signals); }, where)
      .detach();
  detail::change_mask(SIG_BLOCK, signals);
  return made;
}

signal_set subscription::unsubscribe() noexcept {
  const auto who = std::exchange(who_, nullptr);
  return who ? detail::registry::instance().remove(who, true) : signal_set{};
}

signal_set subscription::release() noexcept {
  const auto who = std::exchange(who_, nullptr);
  return who ? detail::registry::instance().remove(who, false) : signal_set{};
}

signal_set subscription::signals() const noexcept { return who_ ? who_->signals : signal_set{}; }

}  // namespace sigpp::inline v1
