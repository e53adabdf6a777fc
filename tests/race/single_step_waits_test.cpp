// A signal, or a deadline, after every single instruction of what waits for other things than
// descriptors: time, signals, locks, threads; and of timeouts and timers. See single_step_test.cpp.
#include <gtest/gtest.h>

#if defined(__linux__) && defined(__x86_64__)

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "race/single_step_scenes.hpp"

namespace tracing {
namespace {

// ---- sleeping, waiting for signals, check ------------------------------------------------------

act sleep_act(bool over) {
  throw_on_signal();
  sigpp::sleep_for(1ms);
  return {.run = [=] {
    sigpp::sleep_for(over ? 0ns : std::chrono::nanoseconds(1h));
    return true;
  }};
}

int others = 0;  // calls of the handler of SIGUSR2

// `wait` returns when a handler has run: that of SIGUSR2, if it is pending.
act wait_for_handler_act(void (*wait)(), bool there) {
  throw_on_signal();
  sigpp::signal(SIGUSR2, [] { ++others; });
  ::raise(SIGUSR2);
  wait();
  if (there) ::raise(SIGUSR2);
  return {.run =
              [=] {
                wait();
                return others == 2;
              },
          .untouched =
              [=] {
                sigpp::check();
                return others == (there ? 2 : 1);
              }};
}

act pause_act(bool there) { return wait_for_handler_act(sigpp::pause, there); }

#if !defined(SIGPP_TEST_POSIX_PLATFORM)  // there no wait takes signals

// A storm has just been here: SIGUSR1 is kept blocked, until a ring comes in the midst of this.
prepare_function after_a_storm(bool (*run)()) {
  return [=](bool) -> act {
    throw_on_signal();
    sigset_t mask;
    do {
      for (int i = 0; i < 200; ++i) {
        try {
          sigpp::raise_signal(SIGUSR1);  // enters no handler, where the tracer would stop it
        } catch (const woken&) {
          continue;
        }
      }
      ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    } while (sigismember(&mask, SIGUSR1) == 0);
    shared_board().handled = 0;
    return {.run = run};
  };
}

bool pause_once() {
  sigpp::pause();
  return true;
}

bool check_and_pause() {
  for (int i = 0; i < 3; ++i) sigpp::check();
  return pause_once();
}

#endif

// Its mask alone lets SIGUSR1 in.
act sigsuspend_act(bool there) {
  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1});
  act a = wait_for_handler_act([] { sigpp::sigsuspend({}); }, there);
  a.later = [] {
    sigpp::pthread_sigmask(SIG_UNBLOCK, {SIGUSR1});
    sigpp::check();
  };
  return a;
}

prepare_function taking_a_signal(bool (*wait)()) {
  return [=](bool there) -> act {
    throw_on_signal();
    sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR2});
    ::raise(SIGUSR2);
    wait();
    if (there) ::raise(SIGUSR2);
    return {.run = wait,
            .untouched = [=] { return sigpp::sigpending().contains(SIGUSR2) == there; }};
  };
}

act check_act(bool) {
  throw_on_signal();
  sigpp::check();
  return {.run = [] {
    for (;;) sigpp::check();
    return true;
  }};
}

// ---- locks and threads -------------------------------------------------------------------------

// Locked by a thread that has ended: so nobody else runs here.
act mutex_act(bool free) {
  throw_on_signal();
  const auto mutex = std::make_shared<sigpp::mutex>();
  mutex->lock();
  mutex->unlock();
  if (!free) std::thread([=] { mutex->lock(); }).join();
  return {.run =
              [=] {
                mutex->lock();
                return !mutex->try_lock();
              },
          .untouched = [=] { return mutex->try_lock() == free; }};
}

// It completes when its time is over. However it ends, the mutex is locked again.
act condition_variable_act(bool over) {
  struct both {
    sigpp::mutex mutex;
    sigpp::condition_variable changed;
    std::unique_lock<sigpp::mutex> lock{mutex};
  };
  throw_on_signal();
  const auto of = std::make_shared<both>();
  of->changed.wait_for(of->lock, 0ns);
  const auto is_locked = [=] { return of->lock.owns_lock() && !of->mutex.try_lock(); };
  return {.run =
              [=] {
                if (over) {
                  of->changed.wait_for(of->lock, 0ns);
                } else {
                  of->changed.wait(of->lock, [] { return false; });  // it may wake for no reason
                }
                return is_locked();
              },
          .untouched = is_locked};
}

act join_act(bool ended) {
  throw_on_signal();
  const auto make = [](bool ends) {
    const sigpp::signal_mask none(sigpp::signal_set{SIGUSR1});
    return std::thread([ends] {
      if (!ends) ::pause();
    });
  };
  std::thread before = make(true);
  sigpp::join(before);
  auto* const thread = new std::thread(make(ended));  // ends with the process
  return {.run =
              [=] {
                sigpp::join(*thread);
                return !thread->joinable();
              },
          .untouched = [=] { return thread->joinable(); }};
}

// ---- timeouts and timers -----------------------------------------------------------------------

act timeout_act(bool) {
  throw_on_signal();
  const auto enter_and_leave = [] { return sigpp::with_timeout(1h, [] { sigpp::check(); }); };
  enter_and_leave();
  return {.run = enter_and_leave, .later = later_code};
}

act timer_act(bool) {
  throw_on_signal();
  const auto arm_and_cancel = [] {
    bool called = false;
    auto t = sigpp::call_later(1h, [&] { called = true; });
    t.reschedule(2h);
    t.reschedule(30min);
    return t.cancel() && !called;
  };
  arm_and_cancel();
  return {.run = arm_and_cancel, .later = later_code};
}

void set_deadline() { shared_board().deadline = steady_clock::now() + time_to_deadline; }

act timeout_left_act(bool) {
  static_cast<void>(sigpp::with_timeout(1h, [] { sigpp::check(); }));
  set_deadline();
  return {.run =
              [] {
                int inside = 0;
                try {
                  const sigpp::timeout scope(shared_board().deadline.load());
                  sigpp::check();
                  ++inside;
                } catch (const sigpp::timed_out&) {
                  ++inside;
                }
                return inside == 1;
              },
          .later = later_code};
}

// The inner one's time is not the outer one's.
act timeout_nested_act(bool) {
  static_cast<void>(sigpp::with_timeout(1h, [] { sigpp::check(); }));
  set_deadline();
  return {.run =
              [] {
                const sigpp::timeout outer(steady_clock::now() + 2h);
                try {
                  const sigpp::timeout inner(shared_board().deadline.load());
                  try {
                    sigpp::check();
                  } catch (const sigpp::timed_out& over) {
                    if (!over.of(inner) || over.of(outer)) return false;
                  }
                } catch (const sigpp::timed_out&) {
                  return false;
                }
                sigpp::check();
                return !outer.expired();
              },
          .later = later_code};
}

// `storm`: the call is begun again, as what its safe point runs sends something more.
prepare_function timeout_read(bool storm) {
  return [=](bool) -> act {
    sigpp::signal(SIGUSR2, [left = 2]() mutable {
      if (--left >= 0) ::raise(SIGUSR2);
    });
    const two_ends ends = make_ready_pipe(true);
    buffer to{};
    static_cast<void>(sigpp::with_timeout(1h, [&] { return sigpp::read(ends.in, to); }));
    if (storm) ::raise(SIGUSR2);
    set_deadline();
    return {.run =
                [=] {
                  buffer got{};
                  try {
                    const sigpp::timeout scope(shared_board().deadline.load());
                    sigpp::read(ends.in, got);
                  } catch (const sigpp::timed_out&) {
                    return true;
                  }
                  return false;
                },
            .later = later_code};
  };
}

// Called once, or cancelled.
prepare_function timer_due(bool rescheduled) {
  return [=](bool) -> act {
    sigpp::call_later(1h, [] {}).cancel();
    sigpp::check();
    set_deadline();
    return {.run =
                [=] {
                  int called = 0;
                  auto t = sigpp::call_at(shared_board().deadline.load(), [&] { ++called; });
                  sigpp::check();
                  const int before = called;
                  if (rescheduled) t.reschedule(1h);
                  const bool cancelled = t.cancel();
                  sigpp::check();
                  if (rescheduled) return cancelled && called == before;
                  return called == (cancelled ? 0 : 1);
                },
            .later = later_code};
  };
}

// ---- all of them -------------------------------------------------------------------------------

scenes all_scenes() {
  scenes all;
  all.both("sleep_for", sleep_act);
  all.with_foreign("sleep_for", sleep_act);
  all.both("pause", pause_act);
#if !defined(SIGPP_TEST_POSIX_PLATFORM)
  all.blocks("pause_after_a_storm", after_a_storm(pause_once));
  all.blocks("check_after_a_storm", after_a_storm(check_and_pause));
#endif
  all.both("sigsuspend", sigsuspend_act);
  all.both("sigwait", taking_a_signal([] { return sigpp::sigwait({SIGUSR2}) == SIGUSR2; }));
  all.both("sigtimedwait", taking_a_signal([] {
             const auto taken = sigpp::sigtimedwait({SIGUSR2}, 1h);
             return taken && taken->number() == SIGUSR2;
           }));
  all.blocks("check", check_act, injection::signal, 100);
  all.both("mutex", mutex_act);
  all.with_foreign("mutex", mutex_act);
  all.both("condition_variable", condition_variable_act);
  all.both("join", join_act);
  all.completes("with_timeout", timeout_act);
  all.completes("timer", timer_act);
  all.completes("timeout_left", timeout_left_act, injection::time);
  all.completes("timeout_nested", timeout_nested_act, injection::time);
  all.completes("timeout_read", timeout_read(false), injection::time);
  all.completes("timeout_read_in_a_storm", timeout_read(true), injection::time);
  all.completes("timer_due", timer_due(false), injection::time);
  all.completes("timer_due_rescheduled", timer_due(true), injection::time);
  return all;
}

INSTANTIATE_TEST_SUITE_P(wait, single_step, all_scenes().values(), name_of);

}  // namespace
}  // namespace tracing

#else

TEST(single_step, needs_linux_on_x86_64) { GTEST_SKIP(); }

#endif
