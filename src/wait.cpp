#include <sigpp/wait.hpp>

#include <algorithm>
#include <cerrno>

#include <sigpp/check.hpp>

#include "errors.hpp"
#include "in_handler/delivery.hpp"
#include "mask.hpp"
#include "platform/platform.hpp"
#include "process.hpp"
#include "registry.hpp"
#include "safe_point.hpp"
#include "storm.hpp"
#include "taken.hpp"

namespace sigpp::inline v1 {

namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// What sigpp's handler would catch on this thread if it were not for this wait.
sigset_t caught_now(const sigset_t& mask, const signal_set& wanted) noexcept {
  sigset_t caught;
  sigemptyset(&caught);
  const bool crowded = detail::dispatcher_core::any_is_crowded();
  for (int n = 1; n < static_cast<int>(in_handler::mailbox::signals); ++n) {
    if (!in_handler::shared.recorded[static_cast<std::size_t>(n)].load()) continue;
    if (sigismember(&mask, n) == 1 || wanted.contains(n)) continue;
    // With no room for them the handler shall take them, which holds back more.
    if (crowded && n >= in_handler::shared.first_queued) continue;
    sigaddset(&caught, n);
  }
  sigaddset(&caught, SIGPP_DOORBELL_SIGNAL);  // even if the program blocks it
  return caught;
}

// A program may wait for the doorbell signal itself; our rings are not what it waits for.
bool is_ring(const siginfo_t& info) noexcept {
  if (info.si_signo != SIGPP_DOORBELL_SIGNAL) return false;
  const auto kind = in_handler::os::kind_of_doorbell(info);
  return in_handler::answer_timer(kind) || kind == in_handler::os::arrival::ring;
}

// The wait of a thread that runs handlers. 0: something else to do, or time to look at the clock.
int wait_once(const signal_set& wanted, std::optional<nanoseconds> left, siginfo_t& info) {
  const detail::all_blocked guard;
  const sigset_t mask_now = detail::storm::without_kept(guard.mask());
  const sigset_t caught = caught_now(mask_now, wanted);
  int taken = 0;
  // Attention that cannot be served now must not keep us from waiting.
  if (detail::attention.load(std::memory_order_seq_cst) == 0 || detail::is_deferred()) {
    taken = platform::wait_for_signal(wanted.native(), caught, mask_now, left, info);
  }
  if (taken > 0 && !wanted.contains(taken)) {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);  // as it is in the handler
    detail::hand_on(info);
    taken = 0;
  }
  return taken > 0 && !is_ring(info) ? taken : 0;
}

// Of a thread that runs none, and of any that does not block.
int plain_wait_once(const signal_set& wanted, std::optional<nanoseconds> left, siginfo_t& info) {
  sigset_t none;
  sigemptyset(&none);
  const detail::all_blocked guard;
  const int taken = platform::wait_for_signal(wanted.native(), none, guard.mask(), left, info);
  return taken > 0 && !is_ring(info) ? taken : 0;
}

}  // namespace

std::optional<signal_info> detail::wait_for(const signal_set& signals,
                                            std::optional<steady_clock::time_point> deadline,
                                            std::error_code& error) {
  error.clear();
  if (!(signals - valid_signals()).empty()) {
    error = std::make_error_code(std::errc::invalid_argument);
    return std::nullopt;
  }
  for (bool last = false, again = false; !last; again = true) {
    check();
    std::optional<nanoseconds> left;
    if (deadline) {
      left = std::max(*deadline - steady_clock::now(), nanoseconds::zero());
      last = *left == nanoseconds::zero();
    }
    siginfo_t info{};
    const bool blocks = has_safe_points() && !last;
    // Signals that come faster than they are handled must not keep it from looking.
    if (blocks && again && attention.load() != 0) left = nanoseconds::zero();
    const int taken = blocks && left != nanoseconds::zero() ? wait_once(signals, left, info)
                                                            : plain_wait_once(signals, left, info);
    if (taken == 0 && info.si_signo == SIGPP_DOORBELL_SIGNAL) {  // which no handler has seen
      all_blocked guard;
      in_handler::release(nullptr);
      storm::after_wait(guard, 0);
      attention.store(1);  // as it does
      last = false;
    }
    if (taken > 0) {
      const nanoseconds now{in_handler::os::now()};
      return signal_info(info, steady_clock::time_point(now),
                         in_handler::os::kernel_id(in_handler::this_thread()), nullptr, 0);
    }
  }
  check();
  return std::nullopt;
}

void detail::throw_wait(const char* function, std::error_code error) {
  throw_errno(error.value(), function, "the set has a number that is no signal here");
}

steady_clock::time_point detail::deadline_after(nanoseconds length) {
  const auto now = steady_clock::now();
  const auto most = steady_clock::time_point::max();
  return length < most - now ? now + length : most;
}

}  // namespace sigpp::inline v1
