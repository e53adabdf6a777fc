// Other code saves and puts back masks, waits, and leaves its handlers as it likes, while this
// thread holds back queued signals.
#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

bool is_blocked(int signum) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, signum) == 1;
}

sigset_t only(int signum) { return sigpp::signal_set{signum}.native(); }

// Ordinary code of others, by the C library's names.
sigset_t block(int signum) {
  const sigset_t mask = only(signum);
  sigset_t old;
  pthread_sigmask(SIG_BLOCK, &mask, &old);
  return old;
}
void put_back(const sigset_t& old) { pthread_sigmask(SIG_SETMASK, &old, nullptr); }

void install(int signum, void (*f)(int)) {
  struct sigaction action {};
  action.sa_handler = f;
  sigemptyset(&action.sa_mask);
  ASSERT_EQ(sigaction(signum, &action, nullptr), 0);
}

// The main thread handles SIGRTMIN; a worker sends them to itself until it is held back. Then the
// main thread drains the queue while the worker does what the test is about.
class storm {
 public:
  storm() {
    sigpp::signal(SIGRTMIN, [&](const sigpp::signal_info& info) {
      const auto value = static_cast<std::size_t>(info.value().value().sival_int);
      if (got_.size() <= value) got_.resize(value + 1);
      ++got_[value];
    });
  }

  /// On the worker.
  void send() {
    sigval value{};
    value.sival_int = sent_++;
    // The kernel's room is shared by all processes of a user.
    while (pthread_sigqueue(pthread_self(), SIGRTMIN, value) != 0) std::this_thread::yield();
  }
  void fill() {
    while (!is_blocked(SIGRTMIN)) send();
  }
  void may_drain() { may_drain_ = true; }
  void drain() {
    may_drain();
    while (is_blocked(SIGRTMIN)) std::this_thread::yield();
  }
  /// What it blocked is what it blocks.
  void expect_the_mask(const sigset_t& before) {
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, nullptr, &now);
    EXPECT_EQ(sigpp::signal_set(now), sigpp::signal_set(before));
  }

  void run(const std::function<void()>& work) {
    std::atomic<bool> done{false};
    std::thread worker([&] {
      sigset_t before;
      pthread_sigmask(SIG_SETMASK, nullptr, &before);
      work();
      may_drain_ = true;
      while (is_blocked(SIGRTMIN)) std::this_thread::yield();  // a hang is the failure
      expect_the_mask(before);
      send();
      done = true;
    });
    while (!done) {
      if (may_drain_) sigpp::check();
      std::this_thread::yield();
    }
    worker.join();
    while (got_.size() < static_cast<std::size_t>(sent_)) sigpp::check();
    for (std::size_t i = 0; i < got_.size(); ++i) ASSERT_EQ(got_[i], 1) << i;
  }

 private:
  std::vector<int> got_;
  int sent_ = 0;
  std::atomic<bool> may_drain_{false};
};

TEST(foreign, a_mask_saved_while_a_thread_holds_back_may_be_put_back_later) {
  storm s;
  s.run([&] {
    s.fill();
    const sigset_t old = block(SIGPIPE);
    s.drain();
    put_back(old);
  });
}

TEST(foreign, also_by_sections_within_sections) {
  storm s;
  s.run([&] {
    s.fill();
    const sigset_t outer = block(SIGPIPE);
    const sigset_t inner = block(SIGUSR1);
    s.drain();
    put_back(inner);
    put_back(outer);
  });
}

TEST(foreign, also_where_the_doorbell_is_blocked_before) {
  storm s;
  s.run([&] {
    block(SIGPP_TEST_DOORBELL);
    s.fill();
    const sigset_t old = block(SIGPIPE);
    s.drain();
    put_back(old);
    while (is_blocked(SIGRTMIN)) std::this_thread::yield();
    const sigset_t bell = only(SIGPP_TEST_DOORBELL);
    pthread_sigmask(SIG_UNBLOCK, &bell, nullptr);
  });
}

TEST(foreign, a_mask_that_stays_changed_is_left_so) {
  storm s;
  s.run([&] {
    s.fill();
    block(SIGPIPE);
    s.drain();
    const sigset_t pipe = only(SIGPIPE);
    pthread_sigmask(SIG_UNBLOCK, &pipe, nullptr);
    s.fill();  // and it holds back again
    const sigset_t bell = only(SIGPP_TEST_DOORBELL);
    while (is_blocked(SIGRTMIN)) std::this_thread::yield();
    pthread_sigmask(SIG_UNBLOCK, &bell, nullptr);
  });
}

storm* the_storm = nullptr;

TEST(foreign, a_handler_of_other_code_returns_after_the_thread_was_let_go) {
  SKIP_UNDER_TSAN();
  storm s;
  the_storm = &s;
  install(SIGUSR2, [](int) { the_storm->drain(); });
  s.run([&] {
    s.fill();
    pthread_kill(pthread_self(), SIGUSR2);
  });
}

TEST(foreign, a_handler_of_other_code_meets_the_full_queue) {
  SKIP_UNDER_TSAN();
  storm s;
  the_storm = &s;
  install(SIGUSR2, [](int) { the_storm->fill(); });
  s.run([&] {
    pthread_kill(pthread_self(), SIGUSR2);  // puts back the mask from before
    s.fill();
    s.drain();
  });
}

sigjmp_buf place;

TEST(foreign, siglongjmp_out_of_a_handler_opens_the_mask_early) {
  SKIP_UNDER_TSAN();
  storm s;
  install(SIGUSR2, [](int) { siglongjmp(place, 1); });
  s.run([&] {
    if (sigsetjmp(place, 1) == 0) {
      s.fill();
      pthread_kill(pthread_self(), SIGUSR2);
    }
    EXPECT_FALSE(is_blocked(SIGRTMIN));
    s.fill();
    s.drain();
  });
}

// Lets the thread go, and leaves by siglongjmp.
void install_one_that_jumps(storm& s) {
  the_storm = &s;
  install(SIGUSR2, [](int) {
    the_storm->drain();
    siglongjmp(place, 1);
  });
}

TEST(foreign, siglongjmp_out_of_a_handler_during_which_the_thread_was_let_go) {
  SKIP_UNDER_TSAN();
  storm s;
  install_one_that_jumps(s);
  s.run([&] {
    s.fill();
    if (sigsetjmp(place, 1) == 0) pthread_kill(pthread_self(), SIGUSR2);
  });
}

TEST(foreign, siglongjmp_without_a_mask_leaves_that_of_the_handler) {
  SKIP_UNDER_TSAN();
  storm s;
  install_one_that_jumps(s);
  s.run([&] {
    s.fill();
    if (sigsetjmp(place, 0) == 0) pthread_kill(pthread_self(), SIGUSR2);
    const sigset_t usr2 = sigpp::signal_set{SIGUSR2, SIGPP_TEST_DOORBELL}.native();
    pthread_sigmask(SIG_UNBLOCK, &usr2, nullptr);
  });
}

TEST(foreign, sigsuspend_lets_in_what_its_own_mask_says) {
  storm s;
  s.run([&] {
    s.fill();
    s.send();  // stays pending: this thread holds back
    sigset_t none;
    sigemptyset(&none);
    sigsuspend(&none);  // takes it
    s.drain();
  });
}

TEST(foreign, sigsuspend_ends_by_the_ring_that_lets_the_thread_go) {
  storm s;
  s.run([&] {
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, nullptr, &before);
    s.fill();
    sigset_t but_rings;
    sigfillset(&but_rings);
    sigdelset(&but_rings, SIGPP_TEST_DOORBELL);
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    s.may_drain();
    sigsuspend(&but_rings);
    put_back(old);
  });
}

}  // namespace
