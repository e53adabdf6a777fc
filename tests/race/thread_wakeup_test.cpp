// No lost wake-up on threads with handlers of their own: a signal that comes at any instant before
// or while they block is handled without any further event.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/aim.hpp"
#include "support/support.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::subscribe;
using sigpp::subscription;
using std::chrono::steady_clock;

// Shared with a sender that may be another process.
struct board {
  std::atomic<int> round;    // raised by the waiter when it is about to block
  std::atomic<int> handled;  // by the handler
  std::atomic<int> awake;    // by the waiter when it has seen that
  std::atomic<int> lost;     // by the sender, which then gives up
};

board& shared_board() { return support::shared_with_children<board>(); }

void send_rounds(int rounds, const std::function<void()>& send) {
  board& b = shared_board();
  support::random_delay delay(1);
  for (int i = 1; i <= rounds; ++i) {
    while (b.round != i) std::this_thread::yield();
    delay();
    send();
    const auto deadline = steady_clock::now() + 5s;
    while (b.awake != i && steady_clock::now() < deadline) std::this_thread::yield();
    if (b.awake == i) continue;
    ++b.lost;
    while (b.awake != i) {  // rescues the waiter
      send();
      std::this_thread::yield();
    }
    return;
  }
}

struct woken {};

void receive_rounds(int rounds, const std::function<void()>& wait) {
  board& b = shared_board();
  support::random_delay delay(2);
  for (int i = 1; i <= rounds && b.lost == 0; ++i) {
    b.round = i;
    delay();
    while (b.handled != i) {
      try {
        wait();
      } catch (const woken&) {
      }
    }
    b.awake = i;
  }
}

struct wait_kind {
  std::string name;
  std::function<void()> wait;
  bool throws;
};
const std::vector<wait_kind>& waits() {
  static const std::vector<wait_kind> all{
      {"pause", [] { sigpp::pause(); }, false},
      {"sleep", [] { sigpp::sleep_for(1h); }, true},
      {"sigwait", [] { (void)sigpp::sigwait({SIGUSR2}); }, true},
  };
  return all;
}

void handle() { shared_board().handled.store(shared_board().round); }

const std::vector<std::string> senders{"another_thread_takes_it", "it_takes_it_itself",
                                       "from_a_process", "of_an_ended_thread_main_waits"};

class thread_wakeup : public testing::TestWithParam<std::tuple<std::size_t, std::size_t>> {};

TEST_P(thread_wakeup, is_never_slept_through) {
  const wait_kind& kind = waits()[std::get<0>(GetParam())];
  const std::size_t from = std::get<1>(GetParam());
  const int rounds = support::trials(40'000);
  const auto subscribed_here = [&] {
    return subscribe(
        {SIGUSR1},
        [&] {
          handle();
          if (kind.throws) throw woken{};
        },
        sigpp::this_thread::dispatcher());
  };
  if (from == 3) {
    sigpp::check();
    subscription s;
    std::thread([&] { s = subscribed_here(); }).join();
    std::thread sender(send_rounds, rounds, [] { ::raise(SIGUSR1); });
    receive_rounds(rounds, kind.wait);
    sender.join();
  } else {
    std::atomic<bool> ready{false};
    std::thread receiver([&] {
      const subscription s = subscribed_here();
      ready = true;
      receive_rounds(rounds, kind.wait);
    });
    while (!ready) std::this_thread::yield();
    const pthread_t thread = receiver.native_handle();
    const pid_t self = getpid();
    if (from == 0) send_rounds(rounds, [] { ::raise(SIGUSR1); });
    if (from == 1) send_rounds(rounds, [=] { ::pthread_kill(thread, SIGUSR1); });
    if (from == 2) {
      const pid_t child = fork();
      if (child == 0) {
        send_rounds(rounds, [=] { ::kill(self, SIGUSR1); });
        _exit(0);
      }
      while (waitpid(child, nullptr, 0) < 0) {
      }
    }
    receiver.join();
  }
  EXPECT_EQ(shared_board().lost, 0);
}

INSTANTIATE_TEST_SUITE_P(race, thread_wakeup,
                         testing::Combine(testing::Range(std::size_t{0}, waits().size()),
                                          testing::Range(std::size_t{0}, senders.size())),
                         [](const auto& at) {
                           return waits()[std::get<0>(at.param)].name + "_" +
                                  senders[std::get<1>(at.param)];
                         });

}  // namespace
