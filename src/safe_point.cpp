#include "safe_point.hpp"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <exception>

#include <sigpp/check.hpp>
#include <sigpp/shield.hpp>

#include "dispatcher_core.hpp"
#include "mask.hpp"
#include "platform/platform.hpp"
#include "process.hpp"
#include "registry.hpp"
#include "storm.hpp"
#include "taken.hpp"
#include "thread_control.hpp"

namespace sigpp::inline v1 {

namespace detail {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

[[gnu::tls_model("initial-exec")]] constinit thread_local unsigned shields = 0;

namespace {

template <class F>
void for_each_core_here(F f) {
  if (!on_main_thread()) {
    if (own_core() != nullptr) f(*own_core());
    return;
  }
  f(main_core());
  registry& all = registry::instance();
  if (!all.has_adopted()) return;
  // While f runs for one of them, another one may be given to a new thread.
  for (dispatcher_core* core : all.adopted()) {
    if (!all.hold_here(*core)) continue;
    struct letting_go {
      dispatcher_core& core;
      ~letting_go() { core.let_go(); }
    } const guard{*core};
    f(*core);
  }
}

}  // namespace

// A destructor that unwinds must not meet another exception, nor code that expects none.
bool is_deferred() noexcept { return shields != 0 || std::uncaught_exceptions() > 0; }

void run_pending() {
  if (is_deferred()) return;
  if (!has_safe_points()) {
    attention.store(0, std::memory_order_relaxed);
    return;
  }
  storm::poll();
  const storm::attendance goes_on;
  dispatch_here();
}

void check_before_wait() {
  if (attention.load(std::memory_order_relaxed) == 0 || is_deferred()) return;
  if (has_safe_points()) {
    dispatch_here();
  } else {
    attention.store(0, std::memory_order_relaxed);
  }
}

namespace {

// Attention stays raised when an exception leaves a safe point: there may be more.
class keep_attention {
 public:
  keep_attention() = default;
  ~keep_attention() {
    if (!done_) attention.store(1);
    in_handler::tell_runtime();  // of what is left
    in_handler::nag_runtime();
  }
  keep_attention(const keep_attention&) = delete;
  keep_attention& operator=(const keep_attention&) = delete;
  void done() noexcept { done_ = true; }

 private:
  bool done_ = false;
};

}  // namespace

std::chrono::steady_clock::time_point earliest_timer_here() {
  auto earliest = steady_clock::time_point::max();
  if (delivery_ended()) return earliest;
  for_each_core_here(
      [&](dispatcher_core& core) { earliest = std::min(earliest, core.timers().earliest()); });
  return earliest;
}

unsigned dispatch_here() {
  keep_attention guard;
  attention.exchange(0);  // not a store: what was written before it was raised is seen from here on
  in_handler::let_the_ring_in();
  if (thread_control* const control = known_control()) control->forget_what_has_fired();
  if (on_main_thread()) {
    if (const int error = process()->wakeup_error.exchange(0)) {
      registry::instance().report_wakeup_error(error);
    }
    write_late_wakeups();
  }
  unsigned ran = 0;
  for_each_core_here([&](dispatcher_core& core) { ran += core.dispatch(); });
  thread_control* control = known_control();
  if (earliest_timer_here() != steady_clock::time_point::max()) {
    for_each_core_here([&](dispatcher_core& core) { ran += core.timers().run_due(); });
    if (control == nullptr && earliest_timer_here() != steady_clock::time_point::max()) {
      control = this_control().get();
    }
  }
  if (control != nullptr) {
    control->arm_for_the_next();
    ran += control->run();
  }
  guard.done();
  return ran;
}

// Lowered first: a timer that fires from here on raises it again, and one that has fired before
// counts as armed no more.
void attend_later() {
  attention.exchange(0);
  thread_control& control = *this_control();
  control.forget_what_has_fired();
  control.arm(steady_clock::now() + std::chrono::microseconds(50));
}

bool anything_pending_here() {
  attention.exchange(0);
  bool any = false;
  const auto now = steady_clock::now();
  for_each_core_here([&](dispatcher_core& core) {
    any = any || core.has_something_to_run() || core.timers().earliest() <= now;
  });
  if (thread_control* const control = known_control()) {
    any = any || control->has_something(now);
    control->forget_what_has_fired();
    control->arm_for_the_next();
  }
  if (any) attention.store(1);
  return any;
}

std::uint64_t put_aside_here() {
  std::uint64_t sum = 0;
  for_each_core_here([&](dispatcher_core& core) { sum += core.put_aside(); });
  return sum;
}

namespace {

std::optional<nanoseconds> time_until(std::optional<steady_clock::time_point> deadline) {
  if (!deadline) return std::nullopt;
  return std::max(*deadline - steady_clock::now(), nanoseconds::zero());
}

// Without a handler: no frame on the stack, no way back through the kernel.
void wait_and_take(all_blocked& guard, std::optional<steady_clock::time_point> deadline) {
  sigset_t closed = storm::without_kept(guard.mask());
  sigdelset(&closed, SIGPP_DOORBELL_SIGNAL);  // even if the program blocks it
  siginfo_t info{};
  bool taken = false;
  while ((taken = platform::take_signal(closed, time_until(deadline), info)) && !take_over(info)) {
  }
  const bool is_signal = taken && info.si_signo != SIGPP_DOORBELL_SIGNAL;
  storm::after_wait(guard, is_signal ? info.si_signo : 0);
}

}  // namespace

// Every signal is blocked between the look at attention and the wait, and the wait takes them or
// lets them in in one step; so an arrival is either seen by the look or ends the wait. One that
// another thread takes rings.
void wait_for_attention(std::optional<steady_clock::time_point> deadline, const sigset_t* mask) {
  all_blocked guard;
  if (attention.load(std::memory_order_seq_cst) != 0) return;
  // With no room for queued signals the handler shall take them, which holds back more.
  if (platform::takes_signals() && mask == nullptr && !dispatcher_core::any_is_crowded()) {
    return wait_and_take(guard, deadline);
  }
  sigset_t during = mask != nullptr ? *mask : storm::without_kept(guard.mask());
  sigdelset(&during, SIGPP_DOORBELL_SIGNAL);  // even if the program blocks it
  platform::wait_for_handler(during, time_until(deadline));
  storm::after_wait(guard, 0);  // which may have been the ring
}

}  // namespace detail

shield::shield() noexcept { ++detail::shields; }
shield::~shield() { --detail::shields; }

}  // namespace sigpp::inline v1
