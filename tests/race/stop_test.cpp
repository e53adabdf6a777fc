// A signal from outside races with the end of its handler: it is handled, or taken by the action
// that was there before. None vanishes, none counts twice. After Go's TestAtomicStop.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/aim.hpp"
#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::subscribe;
using sigpp::subscription;
using std::chrono::steady_clock;
using support::describe_status;

// Shared by the receiver and the sender, which is another process.
struct board {
  std::atomic<int> round;    // raised by the receiver: send now
  std::atomic<int> handled;  // by sigpp
  std::atomic<int> foreign;  // by the action that was there before
  std::atomic<int> all_handled;
  std::atomic<int> all_foreign;
};

board& shared_board() { return support::shared_with_children<board>(); }

// Waits for `done`; false if that takes longer than anything but a lost signal does. Without a safe
// point: what was not handled has gone back to the kernel before the end of the handler returned.
bool comes_true(const std::function<bool()>& done) {
  const auto deadline = steady_clock::now() + 20s;
  while (!done()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// How a handler of SIGINT is installed, and ends.
struct way {
  std::string name;
  std::function<void()> begin;
  std::function<void()> end;
};

void handle() { ++shared_board().handled; }
void foreign(int) { ++shared_board().foreign; }

const std::vector<way>& ways() {
  static subscription s;
  static sigpp::handler before;
  static std::unique_ptr<support::worker> worker;
  const auto on_main = [] { s = subscribe({SIGINT}, handle); };
  const auto on_worker = [] {
    if (!worker) worker = std::make_unique<support::worker>();
    s = subscribe({SIGINT}, handle, worker->where());
  };
  static const std::vector<way> all{
      {"unsubscribe", on_main, [] { s.unsubscribe(); }},
      {"release", on_main, [] { s.release(); }},
      {"unsubscribe_on_another_thread", on_main,
       [] { std::thread([] { s.unsubscribe(); }).join(); }},
      {"unsubscribe_from_a_threads_dispatcher", on_worker, [] { s.unsubscribe(); }},
      {"unsubscribe_by_the_thread_itself", on_worker,
       [] { worker->call([] { s.unsubscribe(); }); }},
      {"signal", [] { before = sigpp::signal(SIGINT, handle); },
       [] { sigpp::signal(SIGINT, before); }},
  };
  return all;
}

class stop : public testing::TestWithParam<std::size_t> {};

// One receiver: 1000 rounds, in each a SIGINT from another process. 0: each has been counted once.
int receive(const way& how, int rounds, unsigned seed) {
  board& b = shared_board();
  b.round = b.handled = b.foreign = 0;
  struct sigaction action {};
  action.sa_handler = foreign;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  const pid_t receiver = getpid();
  const pid_t sender = fork();
  if (sender == 0) {
    support::random_delay delay(seed);
    for (int i = 1; i <= rounds; ++i) {
      while (b.round != i) std::this_thread::yield();
      delay.give_way();
      ::kill(receiver, SIGINT);
    }
    _exit(0);
  }
  support::random_delay delay(seed + 1000);
  int result = 0;
  for (int i = 1; i <= rounds && result == 0; ++i) {
    how.begin();
    b.round = i;
    delay.give_way();
    sigpp::check();
    how.end();
    if (!comes_true([&] { return b.handled + b.foreign >= i; })) result = 1;
    if (b.handled + b.foreign != i) result = 2;
  }
  if (result != 0) ::kill(sender, SIGKILL);
  waitpid(sender, nullptr, 0);
  b.all_handled += b.handled;
  b.all_foreign += b.foreign;
  return result;
}

TEST_P(stop, each_signal_is_handled_or_goes_to_the_foreign_handler) {
  SKIP_UNDER_TSAN();
  const way& how = ways()[GetParam()];
  shared_board();  // before the forks
  for (unsigned process = 0; process < 10; ++process) {
    ASSERT_EQ(describe_status(
                  support::status_of([&] { return receive(how, support::trials(1000), process); })),
              support::exited(0))
        << "1: one was lost; 2: one counted twice";
  }
  EXPECT_GT(shared_board().all_handled, 0) << "there was no race";
  EXPECT_GT(shared_board().all_foreign, 0) << "there was no race";
}

// The default action itself: each race in a process of its own.
TEST_P(stop, each_signal_is_handled_or_kills) {
  const way& how = ways()[GetParam()];
  board& b = shared_board();
  support::random_delay delay(1);
  int handled = 0;
  int killed = 0;
  const int rounds = support::trials(1000);
  for (int i = 1; i <= rounds; ++i) {
    b.round = b.handled = 0;
    const pid_t child = fork();
    if (child == 0) {
      support::random_delay own(static_cast<unsigned>(i));
      how.begin();
      b.round = 1;
      own.give_way();
      sigpp::check();
      how.end();
      _exit(comes_true([&] { return b.handled != 0; }) ? 0 : 1);  // or it is killed meanwhile
    }
    while (b.round == 0) std::this_thread::yield();
    delay.give_way();
    ::kill(child, SIGINT);
    int status = 0;
    waitpid(child, &status, 0);
    if (describe_status(status) == support::exited(0)) ++handled;
    if (describe_status(status) == support::killed_by(SIGINT)) ++killed;
    ASSERT_EQ(handled + killed, i) << describe_status(status);
  }
  EXPECT_GT(handled, 0);
  EXPECT_GT(killed, 0);
}

INSTANTIATE_TEST_SUITE_P(race, stop, testing::Range(std::size_t{0}, ways().size()),
                         [](const auto& index) { return ways()[index.param].name; });

}  // namespace
