// subscribe(): who is called for an arrival, in what order, and what a function may do meanwhile.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using sigpp::signal_set;
using sigpp::subscribe;
using sigpp::subscription;
using support::describe_status;
using support::expect_system_error;
using support::status_of;
using support::wait_until;

// Appends its letter to a word when it is called.
struct letter {
  std::string& word;
  char name;
  void operator()() const { word += name; }
};

TEST(subscribe, functions_run_in_the_order_of_subscription_after_the_one_of_signal) {
  std::string word;
  const subscription a = subscribe({SIGUSR1}, letter{word, 'a'});
  const subscription b = subscribe({SIGUSR1}, letter{word, 'b'});
  sigpp::signal(SIGUSR1, letter{word, '1'});
  const subscription c = subscribe({SIGUSR1}, letter{word, 'c'});
  ::raise(SIGUSR1);
  EXPECT_EQ(word, "") << "not inside the signal handler";
  sigpp::check();
  EXPECT_EQ(word, "1abc");
  sigpp::signal(SIGUSR1, letter{word, '2'});
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(word, "1abc2abc");
}

TEST(subscribe, every_function_has_had_an_arrival_before_the_next_one_begins) {
  std::string word;
  const subscription a = subscribe({SIGUSR1}, [&] {
    word += 'a';
    if (word.size() < 6) sigpp::raise_signal(SIGUSR1);  // a safe point, too
  });
  const subscription b = subscribe({SIGUSR1}, letter{word, 'b'});
  sigpp::raise_signal(SIGUSR1);
  for (int i = 0; i < 3; ++i) sigpp::check();
  EXPECT_EQ(word, "abababab");
}

TEST(subscribe, one_function_for_a_set_of_signals) {
  std::vector<int> got;
  const signal_set both{SIGINT, SIGTERM, SIGRTMIN};
  subscription s = subscribe(both, [&](int signum) { got.push_back(signum); });
  EXPECT_EQ(s.signals(), both);
  for (int n : {SIGTERM, SIGRTMIN, SIGINT}) sigpp::raise_signal(n);
  EXPECT_EQ(got, (std::vector{SIGTERM, SIGRTMIN, SIGINT}));
  EXPECT_EQ(s.unsubscribe(), signal_set{});
  for (int n : both) EXPECT_EQ(sigpp::getsignal(n), SIG_DFL);
}

TEST(subscribe, every_signal_that_can_be_caught) {
  signal_set all = sigpp::valid_signals() - signal_set{SIGKILL, SIGSTOP};
#ifdef SIGPP_TEST_POSIX_PLATFORM
  all.erase(SIGPP_TEST_DOORBELL);
#endif
  std::vector<sigpp::handler> before;  // sanitizers have some
  for (int n : all) before.push_back(sigpp::getsignal(n));
  signal_set got;
  {
    const subscription s = subscribe(all, [&](int signum) { got.insert(signum); });
    for (int n : all) sigpp::kill(getpid(), n);
    EXPECT_EQ(got, all);
  }
  auto old = before.begin();
  for (int n : all) {
    EXPECT_EQ(sigpp::getsignal(n).is_foreign(), old->is_foreign()) << n;
    EXPECT_FALSE(sigpp::getsignal(n).is_callable()) << n;
    ++old;
  }
}

TEST(subscribe, the_four_forms_of_a_function_and_move_only_ones) {
  int calls = 0;
  const subscription a = subscribe({SIGUSR1}, [&] { ++calls; });
  const subscription b = subscribe({SIGUSR1}, [&](int n) { calls += n == SIGUSR1 ? 10 : 0; });
  const subscription c = subscribe({SIGUSR1}, [&](const sigpp::signal_info& info) {
    calls += info.number() == SIGUSR1 ? 100 : 0;
  });
  const subscription d = subscribe(
      {SIGUSR1}, [&, own = std::make_unique<int>(1000)](int, const sigpp::signal_info& info) {
        calls += info.number() == SIGUSR1 ? *own : 0;
      });
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(calls, 1111);
}

TEST(subscribe, lasts_as_long_as_its_object) {
  std::string word;
  subscription empty;
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty.signals(), signal_set{});
  EXPECT_EQ(empty.unsubscribe(), signal_set{});
  EXPECT_EQ(empty.release(), signal_set{});

  subscription a = subscribe({SIGUSR1}, letter{word, 'a'});
  subscription moved = std::move(a);
  EXPECT_TRUE(moved);
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(word, "a");
  {
    const subscription taken = std::move(moved);
    sigpp::raise_signal(SIGUSR1);
    EXPECT_EQ(word, "aa");
  }
  EXPECT_EQ(sigpp::getsignal(SIGUSR1), SIG_DFL);

  subscription b = subscribe({SIGUSR2}, letter{word, 'b'});
  b = subscribe({SIGUSR2}, letter{word, 'c'});
  sigpp::raise_signal(SIGUSR2);
  EXPECT_EQ(word, "aac") << "the assignment has left the old one";
  b = std::move(*&b);
  EXPECT_TRUE(b) << "assigned to itself";
  b.unsubscribe();
  EXPECT_FALSE(b);
  EXPECT_EQ(sigpp::getsignal(SIGUSR2), SIG_DFL);
}

TEST(subscribe, ignoring_and_resetting_wait_until_the_last_one_has_left) {
  int calls = 0;
  subscription s = subscribe({SIGTERM}, [&] { ++calls; });
  sigpp::signal(SIGTERM, SIG_IGN);
  EXPECT_EQ(sigpp::getsignal(SIGTERM), SIG_IGN);
  sigpp::raise_signal(SIGTERM);
  EXPECT_EQ(calls, 1);
  s.unsubscribe();
  ::raise(SIGTERM);
  EXPECT_EQ(sigpp::statistics(SIGTERM).received, 1U) << "the kernel dropped it";

  EXPECT_EQ(describe_status(status_of([&] {
              subscription again = subscribe({SIGTERM}, [&] { ++calls; });
              EXPECT_EQ(sigpp::signal(SIGTERM, SIG_DFL), SIG_IGN);
              sigpp::raise_signal(SIGTERM);
              if (calls != 2) return 1;
              again.unsubscribe();
              ::raise(SIGTERM);
              return 2;
            })),
            support::killed_by(SIGTERM));
}

TEST(subscribe, a_function_of_signal_stays_when_the_last_subscriber_leaves) {
  std::string word;
  sigpp::signal(SIGUSR1, letter{word, '1'});
  subscribe({SIGUSR1}, letter{word, 'a'}).unsubscribe();
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(word, "1");
  const subscription b = subscribe({SIGUSR1}, letter{word, 'b'});
  sigpp::signal(SIGUSR1, SIG_DFL);
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(word, "1b");
}

TEST(subscribe, from_another_thread_the_function_runs_on_the_main_one) {
  const auto here = std::this_thread::get_id();
  std::thread::id ran_on;
  subscription s;
  std::thread([&] {
    s = subscribe({SIGUSR1}, [&] { ran_on = std::this_thread::get_id(); });
    sigpp::raise_signal(SIGUSR1);
    EXPECT_EQ(ran_on, std::thread::id());
  }).join();
  sigpp::check();
  EXPECT_EQ(ran_on, here);
  std::thread([&] { s.unsubscribe(); }).join();
  EXPECT_EQ(sigpp::getsignal(SIGUSR1), SIG_DFL);
}

// ---- from inside functions ---------------------------------------------------------------------

TEST(subscribe, one_that_subscribes_inside_does_not_see_this_arrival) {
  std::string word;
  std::vector<subscription> more;
  const subscription a = subscribe({SIGUSR1}, [&] {
    word += 'a';
    if (!more.empty()) return;
    more.push_back(subscribe({SIGUSR1}, letter{word, 'x'}));
    sigpp::signal(SIGUSR1, letter{word, '1'});
  });
  const subscription b = subscribe({SIGUSR1}, letter{word, 'b'});
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(word, "ab");
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(word, "ab1abx");
}

TEST(subscribe, nor_when_the_arrival_is_finished_at_a_later_safe_point) {
  std::string word;
  subscription more;
  const subscription a = subscribe({SIGUSR1}, [&] {
    word += 'a';
    if (more) return;
    more = subscribe({SIGUSR1}, letter{word, 'x'});
    throw std::runtime_error("after subscribing");
  });
  const subscription b = subscribe({SIGUSR1}, letter{word, 'b'});
  EXPECT_THROW(sigpp::raise_signal(SIGUSR1), std::runtime_error);
  sigpp::check();
  EXPECT_EQ(word, "ab");
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(word, "ababx");
}

TEST(subscribe, a_function_may_end_its_own_subscription) {
  std::string word;
  subscription a;
  a = subscribe({SIGUSR1}, [&, alive = std::make_shared<char>('a')] {
    a.unsubscribe();
    word += *alive;  // what it has captured lives until it returns
  });
  const subscription b = subscribe({SIGUSR1}, letter{word, 'b'});
  ::raise(SIGUSR1);
  ::raise(SIGUSR1);
  sigpp::check();
  EXPECT_EQ(word, "abb");
}

TEST(subscribe, a_function_may_end_that_of_one_that_is_still_to_come) {
  std::string word;
  subscription late;
  subscription released;
  const subscription a = subscribe({SIGUSR1}, [&] {
    word += 'a';
    late.unsubscribe();
    released.release();
  });
  late = subscribe({SIGUSR1}, letter{word, 'x'});
  const subscription b = subscribe({SIGUSR1}, letter{word, 'b'});
  released = subscribe({SIGUSR1}, letter{word, 'y'});
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(word, "ab");
}

TEST(subscribe, all_of_them_may_leave_from_inside_the_first) {
  std::vector<subscription> all;
  std::string word;
  all.push_back(subscribe({SIGTERM}, [&] {
    word += 'a';
    auto gone = std::exchange(all, {});
  }));
  all.push_back(subscribe({SIGTERM}, letter{word, 'x'}));
  sigpp::raise_signal(SIGTERM);  // the default action would end the process
  EXPECT_EQ(word, "a");
  EXPECT_EQ(sigpp::getsignal(SIGTERM), SIG_DFL);
  EXPECT_EQ(sigpp::statistics(SIGTERM).reraised, 0U) << "the first has handled it";
}

// ---- exceptions --------------------------------------------------------------------------------

TEST(subscribe, an_exception_leaves_the_rest_of_the_arrival_pending_for_the_next_safe_point) {
  std::string word;
  const auto thrower = [&](char name) {
    return [&word, name] {
      word += name;
      throw std::runtime_error("from a function");
    };
  };
  sigpp::signal(SIGUSR1, thrower('1'));
  const subscription a = subscribe({SIGUSR1}, letter{word, 'a'});
  const subscription b = subscribe({SIGUSR1}, thrower('b'));
  const subscription c = subscribe({SIGUSR1}, letter{word, 'c'});
  const subscription other = subscribe({SIGUSR2}, letter{word, '.'});
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  ::raise(SIGUSR1);
  for (const char* so_far : {"1", "1ab", "1abc.1", "1abc.1ab"}) {
    EXPECT_THROW(sigpp::check(), std::runtime_error);
    EXPECT_EQ(word, so_far);
  }
  sigpp::check();
  EXPECT_EQ(word, "1abc.1abc");
  sigpp::check();
  EXPECT_EQ(word, "1abc.1abc") << "each once";
  EXPECT_EQ(sigpp::statistics(SIGUSR1).handled, 2U);
}

TEST(subscribe, who_has_left_before_that_safe_point_is_not_called) {
  std::string word;
  const subscription a = subscribe({SIGTERM}, [&] {
    word += 'a';
    throw std::runtime_error("the first");
  });
  subscription b = subscribe({SIGTERM}, letter{word, 'x'});
  const subscription c = subscribe({SIGTERM}, letter{word, 'c'});
  EXPECT_THROW(sigpp::raise_signal(SIGTERM), std::runtime_error);
  b.unsubscribe();
  sigpp::check();
  EXPECT_EQ(word, "ac");
}

TEST(subscribe, when_all_have_left_before_that_safe_point_nothing_is_raised_again) {
  subscription a = subscribe({SIGTERM}, [] { throw std::runtime_error("the first"); });
  subscription b = subscribe({SIGTERM}, [] { ADD_FAILURE(); });
  EXPECT_THROW(sigpp::raise_signal(SIGTERM), std::runtime_error);
  a.unsubscribe();
  b.unsubscribe();
  sigpp::check();
  const auto counts = sigpp::statistics(SIGTERM);
  EXPECT_EQ(counts.handled, 1U);
  EXPECT_EQ(counts.reraised, 0U);
}

// ---- bad input ---------------------------------------------------------------------------------

TEST(subscribe, refuses_what_makes_no_sense_and_changes_nothing) {
  EXPECT_THROW((void)subscribe({}, [] {}), std::invalid_argument);
  EXPECT_THROW((void)subscribe({SIGUSR1}, SIG_IGN), std::invalid_argument);
  EXPECT_THROW((void)subscribe({SIGUSR1}, SIG_DFL), std::invalid_argument);
  EXPECT_THROW((void)subscribe({SIGUSR1}, std::function<void()>{}), std::invalid_argument);
  EXPECT_THROW((void)subscribe({SIGUSR1}, sigpp::handler{}), std::invalid_argument);
  const auto invalid = std::errc::invalid_argument;
  for (int bad : {SIGKILL, SIGSTOP, 32, 33, 65, 66, 127, 128}) {
    expect_system_error(
        [&] {
          (void)subscribe({SIGUSR1, bad}, [] {});
        },
        invalid, {std::to_string(bad), "subscribe"});
  }
  EXPECT_EQ(sigpp::getsignal(SIGUSR1), SIG_DFL);
  EXPECT_EQ(describe_status(status_of([] {
              ::raise(SIGUSR1);
              return 0;
            })),
            support::killed_by(SIGUSR1));
}

TEST(exclusive, one_thread_takes_them_and_others_inherit_the_block) {
  support::worker w;
  std::atomic<pid_t> taken_by{0};
  const auto s = subscribe(
      {SIGRTMIN}, [&](const sigpp::signal_info& info) { taken_by = info.thread().value_or(-1); },
      w.where(), sigpp::exclusive);
  EXPECT_TRUE(sigpp::pthread_sigmask(SIG_BLOCK, {}).contains(SIGRTMIN));
  std::thread([] {
    EXPECT_TRUE(sigpp::pthread_sigmask(SIG_BLOCK, {}).contains(SIGRTMIN));
    ::sigqueue(getpid(), SIGRTMIN, sigval{});
  }).join();
  wait_until([&] { return taken_by != 0; });
  w.call([&] { EXPECT_TRUE(taken_by == gettid() || taken_by == -1); });
}

TEST(exclusive, on_ones_own_thread_it_lets_them_in) {
  const sigpp::signal_mask blocked{SIGRTMIN};
  int calls = 0;
  const auto s = subscribe(
      {SIGRTMIN}, [&] { ++calls; }, sigpp::main_dispatcher(), sigpp::exclusive);
  ::raise(SIGRTMIN);
  sigpp::check();
  EXPECT_EQ(calls, 1);
}

TEST(exclusive, needs_a_thread) {
  const sigpp::manual_dispatcher loop;
  EXPECT_THROW(static_cast<void>(subscribe(
                   {SIGRTMIN}, [] {}, loop.dispatcher(), sigpp::exclusive)),
               std::invalid_argument);
}

}  // namespace
