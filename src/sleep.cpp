#include <sigpp/sleep.hpp>

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <exception>
#include <optional>

#include "dispatcher.hpp"
#include "platform/platform.hpp"
#include "process.hpp"

namespace sigpp::inline v1 {

namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// A destructor that unwinds must not meet another exception, nor ordinary code that expects none.
bool deferred() noexcept { return std::uncaught_exceptions() > 0 || delivery_ended(); }

void plain_sleep(steady_clock::time_point deadline) noexcept {
  const nanoseconds at = deadline.time_since_epoch();
  timespec t{};
  t.tv_sec = static_cast<time_t>(at.count() / 1'000'000'000);
  t.tv_nsec = static_cast<long>(at.count() % 1'000'000'000);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr) == EINTR) {
  }
}

// Blocks the main thread until attention is raised, or any handler has run, or the deadline has
// passed. Every signal is blocked between the look at attention and the wait, and the wait lets
// them in in one step; so an arrival is either seen by the look or ends the wait. One that another
// thread takes rings.
void wait_for_attention(std::optional<steady_clock::time_point> deadline) noexcept {
  auto& here = process()->main;
  sigset_t all;
  sigset_t mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  sigset_t during = mask;
  sigdelset(&during, SIGPP_DOORBELL_SIGNAL);  // even if the program blocks it
  here.waiting.store(1, std::memory_order_seq_cst);
  if (detail::attention.load(std::memory_order_seq_cst) == 0) {
    std::optional<nanoseconds> left;
    if (deadline) left = std::max(*deadline - steady_clock::now(), nanoseconds::zero());
    platform::wait_for_handler(during, left);
  }
  here.waiting.store(0, std::memory_order_relaxed);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

unsigned dispatch_here() {
  detail::attention.store(0, std::memory_order_seq_cst);
  return dispatcher::main().dispatch();
}

}  // namespace

void detail::run_pending() {
  if (deferred()) return;
  if (on_main_thread()) {
    dispatch_here();
  } else {
    detail::attention.store(0, std::memory_order_relaxed);
  }
}

void detail::sleep_until_steady(steady_clock::time_point deadline) {
  for (;;) {
    check();
    if (steady_clock::now() >= deadline) return;
    if (!on_main_thread() || deferred()) return plain_sleep(deadline);
    wait_for_attention(deadline);
  }
}

void pause() {
  if (!on_main_thread() || deferred()) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    platform::wait_for_handler(mask, std::nullopt);
    return;
  }
  while (dispatch_here() == 0) wait_for_attention(std::nullopt);
}

}  // namespace sigpp::inline v1
