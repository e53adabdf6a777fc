// A program that is late loses nothing: standard signals merge, queued ones wait in the kernel.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

void queue(int signum, int number) {
  sigval value{};
  value.sival_int = number;
  while (sigqueue(getpid(), signum, value) != 0) {
    ASSERT_EQ(errno, EAGAIN);
    std::this_thread::yield();
  }
}

TEST(room, standard_signals_merge_and_each_arrival_is_counted) {
  std::uint64_t stood_for = 0;
  std::uint64_t calls = 0;
  sigpp::signal(SIGUSR1, [&](const sigpp::signal_info& info) {
    ++calls;
    stood_for += 1 + info.merged();
  });
  constexpr int sent = 50'000;
  for (int i = 0; i < sent; ++i) ::raise(SIGUSR1);
  sigpp::check();
  EXPECT_EQ(stood_for, sent);
  EXPECT_LT(calls, sent);
  const auto counts = sigpp::statistics(SIGUSR1);
  EXPECT_EQ(counts.received, sent);
  EXPECT_EQ(counts.handled, calls);
  EXPECT_EQ(counts.merged, sent - calls);
}

TEST(room, the_last_signal_of_a_storm_is_heard_with_its_sender) {
  sigpp::signal(SIGUSR2, [] {});
  int terminated = 0;
  sigpp::signal(SIGTERM, [&](const sigpp::signal_info& info) {
    ++terminated;
    EXPECT_EQ(info.pid(), getpid());
  });
  for (int i = 0; i < 100'000; ++i) ::raise(SIGUSR2);
  ::raise(SIGTERM);
  sigpp::check();
  EXPECT_EQ(terminated, 1);
}

TEST(room, every_standard_signal_is_heard_over_a_full_queue) {
  std::vector<int> signals;
  for (int n : sigpp::valid_signals()) {
    if (n < 32 && n != SIGKILL && n != SIGSTOP) signals.push_back(n);
  }
  sigpp::signal_set heard;
  for (int n : signals) {
    if (n == SIGPP_TEST_DOORBELL) continue;
    sigpp::signal(n, [&](int signum) { heard.insert(signum); });
  }
  for (int i = 0; i < 5'000; ++i) ::raise(SIGUSR1);
  for (int n : signals) {
    if (n != SIGPP_TEST_DOORBELL) ::raise(n);
  }
  sigpp::check();
  EXPECT_GE(heard.size(), signals.size() - 1);
}

TEST(room, queued_signals_all_come_in_order_with_their_values) {
  constexpr int sent = 20'000;
  std::vector<int> got;
  sigpp::signal(SIGRTMIN, [&](const sigpp::signal_info& info) {
    got.push_back(info.value().value().sival_int);
    EXPECT_EQ(info.merged(), 0U);
  });
  for (int i = 0; i < sent; ++i) queue(SIGRTMIN, i);
  while (got.size() < sent) sigpp::check();
  for (int i = 0; i < sent; ++i) ASSERT_EQ(got[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(sigpp::statistics(SIGRTMIN).merged, 0U);
}

TEST(room, the_sender_is_pushed_back_when_the_kernels_queue_is_full) {
  // Counted per user over all processes, so a limit of our own that others do not share.
  rlimit limit{};
  getrlimit(RLIMIT_SIGPENDING, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_cur, 3'000);
  setrlimit(RLIMIT_SIGPENDING, &limit);
  int got = 0;
  sigpp::signal(SIGRTMIN, [&] { ++got; });
  int accepted = 0;
  sigval value{};
  for (int i = 0; i < 10'000; ++i) {
    if (sigqueue(getpid(), SIGRTMIN, value) == 0) {
      ++accepted;
    } else {
      ASSERT_EQ(errno, EAGAIN);
    }
  }
  EXPECT_LT(accepted, 10'000);
  while (got < accepted) sigpp::check();
  EXPECT_EQ(got, accepted);
  sigpp::raise_signal(SIGRTMIN);
  EXPECT_EQ(got, accepted + 1) << "the thread takes them again";
}

TEST(room, queued_signals_that_other_threads_take_all_come) {
  constexpr int threads = 8;
  constexpr int each = 2'000;
  std::vector<std::vector<int>> got(threads);
  int total = 0;
  sigpp::signal(SIGRTMIN + 1, [&](const sigpp::signal_info& info) {
    const int value = info.value().value().sival_int;
    got[static_cast<std::size_t>(value / each)].push_back(value % each);
    ++total;
  });
  std::atomic<int> done{0};
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        sigval value{};
        value.sival_int = t * each + i;
        // To this thread itself: it fills the queue beyond what one thread could.
        while (pthread_sigqueue(pthread_self(), SIGRTMIN + 1, value) != 0)
          std::this_thread::yield();
      }
      ++done;
      while (done != threads + 1) std::this_thread::yield();
    });
  }
  while (done != threads) std::this_thread::yield();  // nobody has handled one yet
  while (total < threads * each) sigpp::pause();
  done = threads + 1;
  for (auto& worker : workers) worker.join();
  for (const auto& values : got) {
    ASSERT_EQ(values.size(), static_cast<std::size_t>(each));
    for (int i = 0; i < each; ++i) ASSERT_EQ(values[static_cast<std::size_t>(i)], i);
  }
}

// One run of holding back for all of them: what the kernel keeps is taken without the handler.
TEST(room, a_storm_is_drained_and_not_let_in) {
#if defined(SIGPP_TEST_POSIX_PLATFORM)
  GTEST_SKIP() << "there is no sigtimedwait";
#endif
  int calls = 0;
  int by_the_handler = 0;
  sigpp::signal(SIGRTMIN, [&](const sigpp::signal_info& info) {
    ++calls;
    if (info.program_counter() != nullptr) ++by_the_handler;
  });
  constexpr int sent = 10'000;
  for (int i = 0; i < sent; ++i) queue(SIGRTMIN, i);
  while (calls < sent) sigpp::check();
  EXPECT_LT(by_the_handler, 1000);
  EXPECT_EQ(sigpp::statistics(SIGRTMIN).held_back, 1U);
}

// Rings are for other things, too. Each would let one more in, and list the thread once more, until
// no other thread finds room in the list.
TEST(room, a_thread_that_holds_back_does_so_whatever_else_rings_it) {
  int got = 0;
  sigpp::signal(SIGRTMIN, [&] { ++got; });
  std::atomic<int> step{0};
  std::atomic<unsigned> rings{0};
  std::optional<sigpp::thread_handle> handle;
  std::thread worker([&] {
    handle = sigpp::this_thread::handle();
    step = 1;
    while (step == 1) {
      try {
        sigpp::check();
      } catch (const sigpp::interrupted&) {
        ++rings;
      }
    }
  });
  while (step != 1) std::this_thread::yield();
  // They all go to the worker: first what makes it hold back, then what waits for it.
  const sigset_t mask = sigpp::signal_set{SIGRTMIN}.native();
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  int sent = 0;
  while (sigpp::statistics(SIGRTMIN).held_back == 0) queue(SIGRTMIN, sent++);
  for (int i = 0; i < 100; ++i) queue(SIGRTMIN, sent++);
  for (unsigned i = 0; i < 5000; ++i) {
    sigpp::interrupt(*handle);
    while (rings == i) std::this_thread::yield();
  }
  EXPECT_EQ(sigpp::statistics(SIGRTMIN).held_back, 1U);
  EXPECT_LT(sigpp::statistics(SIGRTMIN).received, static_cast<unsigned>(sent));
  while (got < sent) sigpp::check();
  step = 2;
  worker.join();
}

// Its mask comes back from the sleep as it was before, not as the handler leaves it.
TEST(room, a_thread_that_sleeps_holds_back_too) {
  std::atomic<bool> go_on{false};
  std::atomic<int> calls{0};
  support::worker late;
  const auto s = sigpp::subscribe(
      {SIGRTMIN}, [&] { ++calls; }, late.where());
  late.start([&] { support::wait_until([&] { return go_on.load(); }); });
  std::atomic<bool> sent{false};
  std::thread sender([&, main = ::pthread_self()] {
    for (int i = 0; i < 1200; ++i) {
      while (::pthread_kill(main, SIGRTMIN) != 0) std::this_thread::yield();
    }
    sent = true;
  });
  while (!sent) sigpp::sleep_for(std::chrono::milliseconds(1));
  sender.join();
  EXPECT_LT(sigpp::statistics(SIGRTMIN).received, 910U);
  go_on = true;
  while (calls < 1200) sigpp::sleep_for(std::chrono::milliseconds(1));
}

TEST(room, what_another_thread_took_is_counted) {
  sigpp::signal(SIGUSR1, [] {});
  ::raise(SIGUSR1);
  EXPECT_EQ(sigpp::statistics(SIGUSR1).taken_elsewhere, 0U);
  std::thread([] { ::raise(SIGUSR1); }).join();
  EXPECT_EQ(sigpp::statistics(SIGUSR1).taken_elsewhere, 1U);
  sigpp::check();
}

// What nobody can see: the kernel keeps one standard signal while it is pending, whoever sends it,
// and one real-time signal of `kill` when there is no room in its queue.
TEST(room, what_the_kernel_merges_is_one_call) {
  const sigpp::signal_set both{SIGUSR1, SIGRTMIN};
  std::vector<sigpp::signal_info> got;
  for (const int signum : {SIGUSR1, SIGRTMIN}) {
    sigpp::signal(signum, [&](const sigpp::signal_info& info) { got.push_back(info); });
  }
  {
    const sigpp::signal_mask blocked(both);
    for (int i = 0; i < 5; ++i) ::sigqueue(getpid(), SIGUSR1, sigval{.sival_int = i});
  }
  sigpp::check();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].merged(), 0U);
  got.clear();
  {
    const sigpp::signal_mask blocked(both);
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    ASSERT_EQ(::setrlimit(RLIMIT_SIGPENDING, &none), 0);
    EXPECT_EQ(::sigqueue(getpid(), SIGRTMIN, sigval{}), -1);
    EXPECT_EQ(errno, EAGAIN);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(::kill(getpid(), SIGRTMIN), 0);
  }
  sigpp::check();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].pid(), std::nullopt);
}

TEST(room, signals_that_wait_for_their_own_handler_merge_or_wait_too) {
  int calls = 0;
  std::uint64_t stood_for = 0;
  sigpp::signal(SIGUSR1, [&](const sigpp::signal_info& info) {
    stood_for += 1 + info.merged();
    if (++calls == 1) {
      for (int i = 0; i < 20'000; ++i) sigpp::raise_signal(SIGUSR1);
    }
  });
  sigpp::raise_signal(SIGUSR1);
  while (stood_for < 20'001U) sigpp::check();
  EXPECT_EQ(stood_for, 20'001U);

  std::vector<int> got;
  sigpp::signal(SIGRTMIN, [&](const sigpp::signal_info& info) {
    if (got.empty()) {
      got.push_back(-1);
      for (int i = 0; i < 10'000; ++i) {
        queue(SIGRTMIN, i);
        sigpp::check();
      }
      return;
    }
    got.push_back(info.value().value().sival_int);
  });
  sigpp::raise_signal(SIGRTMIN);
  while (got.size() < 10'001) sigpp::check();
  for (int i = 0; i < 10'000; ++i) ASSERT_EQ(got[static_cast<std::size_t>(i) + 1], i);
}

bool is_blocked(int signum) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, signum) == 1;
}

// Fills the queue from a thread until that thread is held back, drains it, and expects the thread
// to take queued signals again.
void expect_release(const std::function<void()>& before, const std::function<void()>& while_held) {
  std::atomic<int> step{0};
  int got = 0;
  sigpp::signal(SIGRTMIN, [&] { ++got; });
  sigpp::check();
  int sent = 0;
  bool blocked_after = true;
  std::thread worker([&] {
    before();
    sigval value{};
    while (!is_blocked(SIGRTMIN)) {
      ASSERT_EQ(pthread_sigqueue(pthread_self(), SIGRTMIN, value), 0);
      ++sent;
    }
    while_held();
    step = 1;
    while (step != 2) std::this_thread::yield();
    while (is_blocked(SIGRTMIN)) std::this_thread::yield();  // a hang is the failure
    blocked_after = is_blocked(SIGRTMIN);
  });
  while (step != 1) std::this_thread::yield();
  while (got < sent) sigpp::check();
  step = 2;
  worker.join();
  EXPECT_FALSE(blocked_after);
}

TEST(room, a_thread_that_was_held_back_takes_queued_signals_again) {
  expect_release([] {}, [] {});
}

TEST(room, so_does_one_that_blocks_the_doorbell) {
  const auto block = [] {
    const sigset_t mask = sigpp::signal_set{SIGPP_TEST_DOORBELL}.native();
    pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  };
  expect_release(block, [] {});
}

// Its queue was emptied by a safe point within the handler, where nothing of it may run.
TEST(room, so_does_the_main_thread_when_what_came_waits_for_the_handler_in_progress) {
  int got = 0;
  int sent = 1;
  bool other_came = false;
  sigpp::signal(SIGRTMIN + 1, [&] { other_came = true; });
  sigpp::signal(SIGRTMIN, [&] {
    if (++got > 1) return;
    sigval value{};
    for (; !is_blocked(SIGRTMIN); ++sent) ASSERT_EQ(sigqueue(getpid(), SIGRTMIN, value), 0);
    sigpp::check();
    EXPECT_FALSE(is_blocked(SIGRTMIN));
    ASSERT_EQ(sigqueue(getpid(), SIGRTMIN + 1, value), 0);
    while (!other_came) sigpp::pause();
  });
  sigpp::raise_signal(SIGRTMIN);
  while (got < sent) sigpp::check();
}

TEST(room, so_does_the_main_thread_when_it_waits_inside_a_handler) {
  int got = 0;
  int sent = 1;
  sigpp::signal(SIGUSR1, [] {});
  sigpp::signal(SIGRTMIN, [&] {
    if (++got > 1) return;
    for (; !is_blocked(SIGRTMIN); ++sent) {
      sigval value{};
      ASSERT_EQ(sigqueue(getpid(), SIGRTMIN, value), 0);
      sigpp::check();
    }
    // Woken from its waits by rings, which release.
    std::atomic<bool> done{false};
    std::thread worker([&] {
      for (int i = 0; i < 200; ++i) ::raise(SIGUSR1);
      done = true;
    });
    while (!done) sigpp::sleep_for(std::chrono::microseconds(100));
    worker.join();
  });
  sigval value{};
  ASSERT_EQ(sigqueue(getpid(), SIGRTMIN, value), 0);
  while (got < sent) sigpp::check();
  EXPECT_FALSE(is_blocked(SIGRTMIN));
}

}  // namespace
