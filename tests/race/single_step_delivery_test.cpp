// A signal after every single instruction of what is no blocking call: registration, subscribing,
// dispatch, the handler itself, holding back, fork. Each arrival is handled once, by who was there
// before or by who is there after. See single_step_test.cpp.
#include <gtest/gtest.h>

#if defined(__linux__) && defined(__x86_64__)

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <sigpp/sigpp.hpp>

#include "race/single_step_scenes.hpp"

namespace tracing {
namespace {

void count_one() { ++shared_board().handled; }

// For handlers that do not throw: has everything been handled that has been sent?
std::function<void()> all_handled(std::function<int()> sent) {
  return [sent = std::move(sent)] {
    sigpp::check();
    if (shared_board().handled.exchange(1) == sent()) throw woken{};
  };
}

// At a safe point; or without one, where it is other code's handler that shall have it.
std::function<void()> handled_once(bool at_safe_point = true) {
  return [at_safe_point, told = false]() mutable {
    if (at_safe_point) sigpp::check();
    if (shared_board().handled == 1 && !std::exchange(told, true)) throw woken{};
  };
}

// ---- registration ------------------------------------------------------------------------------

act signal_another_act(bool) {
  throw_on_signal();
  sigpp::signal(SIGUSR2, [] {});
  return {.run = [] {
    sigpp::signal(SIGUSR2, [] {});
    return true;
  }};
}

act signal_replaced_act(bool) {
  throw_on_signal();
  return {.run = [] {
    throw_on_signal();
    return true;
  }};
}

// Before, it is ignored.
act signal_taken_over_act(bool) {
  sigpp::signal(SIGUSR2, [] {});
  sigpp::signal(SIGUSR1, SIG_IGN);
  return {.run =
              [] {
                throw_on_signal();
                return true;
              },
          .later =
              [] {
                sigpp::check();
                if (shared_board().handled == 0) ::raise(SIGUSR1);
                sigpp::check();
              }};
}

// What is pending then goes to the handler of other code that was there before.
act signal_given_back_act(bool) {
  count_plainly(SIGUSR1);
  const sigpp::handler before = sigpp::signal(SIGUSR1, count_one);
  return {.run =
              [=] {
                sigpp::signal(SIGUSR1, before);
                return true;
              },
          .later = handled_once(false)};
}

// With one subscriber more it must come to the first one all the same. Else to other code's handler
// before.
prepare_function subscribing(bool beside_another) {
  return [=](bool) -> act {
    count_plainly(SIGUSR1);
    const auto first = std::make_shared<sigpp::subscription>();
    const auto second = std::make_shared<sigpp::subscription>();
    if (beside_another) *first = sigpp::subscribe({SIGUSR1}, count_one);
    return {.run =
                [=] {
                  *second = beside_another ? sigpp::subscribe({SIGUSR1}, [] {})
                                           : sigpp::subscribe({SIGUSR1}, count_one);
                  return first != second;  // both live on
                },
            .later = handled_once()};
  };
}

prepare_function unsubscribing(bool from_beside_another) {
  return [=](bool) -> act {
    count_plainly(SIGUSR1);
    const auto first = std::make_shared<sigpp::subscription>();
    const auto second = std::make_shared<sigpp::subscription>();
    if (from_beside_another) *first = sigpp::subscribe({SIGUSR1}, count_one);
    *second = from_beside_another ? sigpp::subscribe({SIGUSR1}, [] {})
                                  : sigpp::subscribe({SIGUSR1}, count_one);
    return {.run =
                [=] {
                  second->unsubscribe();
                  return first != second;
                },
            .later = handled_once(from_beside_another)};
  };
}

// ---- the handler, dispatch ---------------------------------------------------------------------

// Each instruction of the handler for another signal, from the sending on.
act arrival_act(bool) {
  throw_on_signal();
  static int others = 0;
  sigpp::signal(SIGUSR2, [] { ++others; });
  ::raise(SIGUSR2);
  sigpp::check();
  const auto all = [] {
    sigpp::check();
    return others == 2;
  };
  return {.run =
              [] {
                ::raise(SIGUSR2);
                return true;
              },
          .untouched = all,
          .later =
              [all] {
                sigpp::check();
                if (!all()) throw std::runtime_error("the other one is lost");
              }};
}

// While a safe point runs the handler of another one.
act dispatch_act(bool) {
  throw_on_signal();
  static int others = 0;
  sigpp::signal(SIGUSR2, [] { ++others; });
  ::raise(SIGUSR2);
  sigpp::check();
  ::raise(SIGUSR2);
  return {.run =
              [] {
                sigpp::check();
                return others == 2;
              },
          .untouched =
              [] {
                sigpp::check();
                return others == 2;
              }};
}

// While it runs its own.
act dispatch_same_act(bool) {
  sigpp::signal(SIGUSR1, count_one);
  ::raise(SIGUSR1);
  return {.run =
              [] {
                sigpp::check();
                return true;
              },
          .later = all_handled([] { return 2; })};
}

// ---- streams, event loops, the background ------------------------------------------------------

act stream_next_act(bool there) {
  throw_on_signal();
  const auto stream = std::make_shared<sigpp::signal_stream>(sigpp::signal_set{SIGUSR2});
  const auto take = [=] { return stream->next().number() == SIGUSR2; };
  ::raise(SIGUSR2);
  take();
  if (there) ::raise(SIGUSR2);
  return {.run = take, .untouched = [=] { return stream->try_next().has_value() == there; }};
}

// It waits for the very signal.
act stream_own_act(bool) {
  const auto stream = std::make_shared<sigpp::signal_stream>(sigpp::signal_set{SIGUSR1});
  ::raise(SIGUSR1);
  stream->next();
  return {.run = [=]() -> bool {
            stream->next();
            count_one();
            throw woken{};
          },
          .untouched = [=] { return !stream->try_next(); }};
}

// What it has not given is for other code's handler.
act stream_left_act(bool) {
  count_plainly(SIGUSR1);
  const auto stream = std::make_shared<std::optional<sigpp::signal_stream>>(
      std::in_place, sigpp::signal_set{SIGUSR1});
  return {.run =
              [=] {
                stream->reset();
                return true;
              },
          .later = handled_once(false)};
}

// For what is left its descriptor is readable.
act manual_dispatch_act(bool) {
  const auto loop = std::make_shared<sigpp::manual_dispatcher>();
  const auto who = std::make_shared<sigpp::subscription>(
      sigpp::subscribe({SIGUSR1}, count_one, loop->dispatcher()));
  pollfd readable{.fd = loop->native_handle(), .events = POLLIN, .revents = 0};
  loop->dispatch();
  return {.run =
              [=] {
                loop->dispatch();
                return who != nullptr;
              },
          .later =
              [=, told = false]() mutable {
                if (shared_board().handled == 0 && ::poll(&readable, 1, 0) == 1) loop->dispatch();
                if (shared_board().handled == 1 && !std::exchange(told, true)) throw woken{};
              }};
}

// An event loop's wait, which the descriptor ends.
act manual_poll_act(bool) {
  const auto loop = std::make_shared<sigpp::manual_dispatcher>();
  const auto who = std::make_shared<sigpp::subscription>(
      sigpp::subscribe({SIGUSR1}, count_one, loop->dispatcher()));
  const auto turn = [=] {
    pollfd readable{.fd = loop->native_handle(), .events = POLLIN, .revents = 0};
    while (::poll(&readable, 1, -1) < 0) {
    }
    return loop->dispatch() == 1;
  };
  ::raise(SIGUSR1);
  turn();
  shared_board().handled = 0;
  return {.run = [=]() -> bool {
    while (who && !turn()) {
    }
    throw woken{};
  }};
}

// Handled by the thread that has just begun, or has not ended yet, or at a safe point here.
prepare_function beside_the_background(bool ends) {
  return [=](bool) -> act {
    sigpp::signal(SIGUSR1, count_one);
    const auto thread = std::make_shared<std::optional<sigpp::background>>();
    thread->emplace();
    if (!ends) thread->reset();
    return {.run =
                [=] {
                  if (ends) {
                    thread->reset();
                  } else {
                    thread->emplace();
                  }
                  return true;
                },
            .later =
                [told = false]() mutable {
                  if (told) return;
                  const auto until = steady_clock::now() + 5s;
                  while (shared_board().handled == 0 && steady_clock::now() < until) {
                    sigpp::check();
                    std::this_thread::yield();
                  }
                  told = true;
                  if (shared_board().handled == 1) throw woken{};
                }};
  };
}

// ---- queued signals, more than the queue takes -------------------------------------------------

// One below holding back, as the handler sees it.
constexpr int crowd = 896;

struct stop_here {};

void queue_them(int number) {
  for (int i = 0; i < number; ++i) checked(::sigqueue(getpid(), SIGRTMIN, {}), "sigqueue");
}

// The signal with which this thread begins to hold back.
act hold_back_act(bool) {
  sigpp::signal(SIGRTMIN, count_one);
  queue_them(crowd);
  return {.run =
              [] {
                queue_them(1);
                return true;
              },
          .later =
              [] {
                while (shared_board().handled < crowd + 2) {
                  const int before = shared_board().handled;
                  sigpp::check();
                  if (shared_board().handled == before) return;
                }
                sigpp::check();
                if (shared_board().handled.exchange(1) == crowd + 2) throw woken{};
              }};
}

// A safe point: from some records before it has room again, and lets in what the kernel has kept,
// to some after it.
act drain_act(bool) {
  constexpr int sent = crowd + 10;
  constexpr int first = crowd / 2 - 2;
  static int stop_after = first;
  sigpp::signal(SIGRTMIN, [] {
    if (++shared_board().handled == stop_after) throw stop_here{};
  });
  queue_them(sent);
  const auto some = [] {
    try {
      sigpp::check();
    } catch (const stop_here&) {
      return true;
    }
    return false;
  };
  if (!some()) throw std::runtime_error("there are fewer");
  stop_after += 6;
  return {.run = some, .later = [=] {
            stop_after = 0;
            for (int last = -1; last != shared_board().handled;) {
              last = shared_board().handled;
              sigpp::check();
            }
            if (shared_board().handled.exchange(1) == sent + 1) throw woken{};
          }};
}

// ---- fork --------------------------------------------------------------------------------------

// The child has none of its parent's signals, and handles its own.
[[noreturn]] void be_the_child() {
  const auto was_handled = [] {
    try {
      sigpp::check();
    } catch (const woken&) {
      --shared_board().handled;
      return true;
    }
    return false;
  };
  if (was_handled() || sigpp::sigpending().contains(SIGUSR1)) _exit(6);
  ::raise(SIGUSR1);
  _exit(was_handled() ? 5 : 7);
}

// The signal is the parent's, who does not count before the child has ended.
act fork_act(bool) {
  struct forked {
    pid_t child = 0;
    int status = 0;
  };
  static int mine = 0;
  sigpp::signal(SIGUSR1, [parent = getpid()] {
    if (getpid() == parent) {
      ++mine;
    } else {
      ++shared_board().handled;
      throw woken{};
    }
  });
  const auto of = std::make_shared<forked>();
  return {.run =
              [=] {
                of->child = ::fork();
                if (of->child == 0) be_the_child();
                return of->child > 0;
              },
          .later =
              [=] {
                if (of->child != 0) ::waitpid(std::exchange(of->child, 0), &of->status, 0);
                if (!WIFEXITED(of->status) || WEXITSTATUS(of->status) != 5) {
                  throw std::runtime_error("the child has ended with " +
                                           std::to_string(WEXITSTATUS(of->status)));
                }
                sigpp::check();
                if (mine == 1 && shared_board().handled.exchange(1) == 0) throw woken{};
              }};
}

// The signal is the child's, from its first instruction on.
act forked_act(bool) {
  throw_on_signal();
  return {.run = [] {
    const pid_t child = ::fork();
    if (child != 0) {
      int status = 0;
      ::waitpid(child, &status, 0);
      _exit(WIFEXITED(status) ? WEXITSTATUS(status) : broken);
    }
    sigpp::check();
    return true;
  }};
}

// ---- all of them -------------------------------------------------------------------------------

scenes all_scenes() {
  scenes all;
  all.completes("signal_another", signal_another_act);
  all.completes("signal_replaced", signal_replaced_act);
  all.completes("signal_taken_over", signal_taken_over_act);
  all.completes("signal_given_back", signal_given_back_act);
  all.completes("subscribe", subscribing(false));
  all.completes("subscribe_beside_another", subscribing(true));
  all.completes("unsubscribe", unsubscribing(false));
  all.completes("unsubscribe_beside_another", unsubscribing(true));
  all.completes("arrival", arrival_act);
  all.completes("dispatch", dispatch_act);
  all.completes("dispatch_same", dispatch_same_act);
  all.both("stream_next", stream_next_act);
  all.blocks("stream_own", stream_own_act);
  all.completes("stream_left", stream_left_act);
  all.completes("manual_dispatch", manual_dispatch_act);
  all.blocks("manual_poll", manual_poll_act);
  all.completes("background_begins", beside_the_background(false));
  all.completes("background_ends", beside_the_background(true));
  all.completes("hold_back", hold_back_act, injection::queued_signal);
  all.completes("drain", drain_act, injection::queued_signal);
  all.completes("fork", fork_act);
  all.completes("forked_child", forked_act, injection::in_forked_child);
  return all;
}

INSTANTIATE_TEST_SUITE_P(delivery, single_step, all_scenes().values(), name_of);

}  // namespace
}  // namespace tracing

#else

TEST(single_step, needs_linux_on_x86_64) { GTEST_SKIP(); }

#endif
