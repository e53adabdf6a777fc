#include <sigpp/sleep.hpp>

#include <signal.h>

#include <cerrno>
#include <ctime>
#include <optional>

#include "errors.hpp"
#include "platform/platform.hpp"
#include "process.hpp"
#include "safe_point.hpp"
#include "storm.hpp"

namespace sigpp::inline v1 {

namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// Not noexcept: pthread_cancel ends it by an exception of its own.
void plain_sleep(steady_clock::time_point deadline) {
  const nanoseconds at = deadline.time_since_epoch();
  timespec t{};
  t.tv_sec = static_cast<time_t>(at.count() / 1'000'000'000);
  t.tv_nsec = static_cast<long>(at.count() % 1'000'000'000);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr) == EINTR) {
  }
}

}  // namespace

void detail::sleep_until_steady(steady_clock::time_point deadline) {
  const storm::attendance attends;
  for (;;) {
    check_before_wait();
    if (steady_clock::now() >= deadline) return;
    if (!has_safe_points() || is_deferred()) return plain_sleep(deadline);
    wait_for_attention(deadline);
  }
}

namespace {

void wait_for_a_handler(const sigset_t* mask) {
  const detail::storm::attendance attends;
  if (!detail::runs_handlers() || detail::delivery_ended()) {
    check();
    if (!detail::has_safe_points() || detail::is_deferred()) {
      sigset_t own;
      pthread_sigmask(SIG_SETMASK, nullptr, &own);
      platform::wait_for_handler(mask != nullptr ? *mask : own, std::nullopt);
    } else {  // it can be interrupted
      detail::wait_for_attention(std::nullopt, mask);
    }
    return check();
  }
  if (detail::is_deferred()) {  // the arrival ends it, and stays pending
    while (!detail::anything_pending_here()) detail::wait_for_attention(std::nullopt, mask);
    return;
  }
  // Inside a handler its own signal may come, which cannot run here; the wait ends all the same.
  const std::uint64_t put_aside = detail::put_aside_here();
  while (detail::dispatch_here() == 0 && detail::put_aside_here() == put_aside) {
    detail::wait_for_attention(std::nullopt, mask);
  }
}

}  // namespace

void pause() { wait_for_a_handler(nullptr); }

void sigsuspend(const signal_set& mask) {
  for (int n : mask) require_valid(n, "sigsuspend");
  const sigset_t native = mask.native();
  wait_for_a_handler(&native);
}

}  // namespace sigpp::inline v1
