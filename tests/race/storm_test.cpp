// Storms of queued signals from several processes: every value that the kernel has queued is seen
// once by everybody who wants it, whatever else goes on meanwhile.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sched.h>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::signal_info;

constexpr int senders = 4;

/// Processes that each send the values of one sender to this one, when they are told to.
class storm {
 public:
  storm(int signum, int each) : each_(each) {
    EXPECT_EQ(::pipe(start_), 0);
    for (int sender = 0; sender < senders; ++sender) {
      const pid_t child = ::fork();
      if (child == 0) send(signum, sender);
      children_.push_back(child);
    }
    ::close(start_[0]);
  }
  void begin() { ::close(start_[1]); }
  void end() {
    for (const pid_t child : children_) {
      int status = 0;
      while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
      EXPECT_EQ(support::describe_status(status), support::exited(0));
    }
  }
  [[nodiscard]] int total() const { return senders * each_; }

 private:
  [[noreturn]] void send(int signum, int sender) {
    ::close(start_[1]);
    char c = 0;
    while (::read(start_[0], &c, 1) < 0) {
    }
    for (int i = 0; i < each_; ++i) {
      while (::sigqueue(::getppid(), signum, sigval{.sival_int = sender * each_ + i}) != 0) {
        if (errno != EAGAIN) ::_exit(1);
        ::sched_yield();
      }
    }
    ::_exit(0);
  }

  int each_;
  int start_[2];
  std::vector<pid_t> children_;
};

/// Who has seen which value how often.
class ledger {
 public:
  explicit ledger(int total) : seen_(static_cast<std::size_t>(total)) {}
  void enter(const signal_info& info) {
    const auto value = static_cast<std::size_t>(info.value()->sival_int);
    EXPECT_EQ(info.merged(), 0U);
    if (seen_.at(value)++ == 0) {
      ++count_;
    } else {
      ++twice_;
    }
  }
  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] int twice() const { return twice_; }

 private:
  std::vector<unsigned char> seen_;
  std::atomic<int> count_{0};
  std::atomic<int> twice_{0};
};

std::thread until(const std::atomic<bool>& stop, const std::function<void()>& f) {
  return std::thread([&stop, f] {
    while (!stop) f();
  });
}

TEST(storm, every_queued_value_is_seen_once_by_everybody) {
  const int signum = SIGRTMIN + 1;
  storm senders_of_values(signum, support::trials(250'000));
  const int total = senders_of_values.total();
  ledger handler(total);
  ledger reader(total);
  ledger background(total);

  const sigpp::background here;
  const auto at_main = sigpp::subscribe({signum}, [&](const signal_info& i) { handler.enter(i); });
  const auto in_background = sigpp::subscribe(
      {signum}, [&](const signal_info& i) { background.enter(i); }, here.dispatcher());
  sigpp::signal_stream stream({signum}, {.policy = sigpp::when_full::stall});
  std::thread reading([&] {
    while (reader.count() < total) reader.enter(stream.next());
  });

  std::atomic<bool> stop{false};
  std::vector<std::thread> others;
  others.push_back(until(stop, [&] {  // comes and goes
    const auto s = sigpp::subscribe({signum}, [] {});
    const sigpp::signal_stream t({signum}, {.capacity = 8});
    std::this_thread::yield();
  }));
#if !defined(SIGPP_TEST_FORK_LEAVES_LOCKS)
  others.push_back(until(stop, [&] {  // forks
    EXPECT_EQ(support::describe_status(support::status_of([&] {
                sigpp::signal_stream mine{SIGRTMIN + 2};
                while (::raise(SIGRTMIN + 2) != 0) ::sched_yield();  // EAGAIN: the storm
                if (!mine.try_next()) return 1;
                int calls = 0;
                const auto s = sigpp::subscribe({SIGUSR1}, [&] { ++calls; });
                ::kill(::getpid(), SIGUSR1);
                sigpp::check();
                return calls == 1 ? 0 : 2;
              })),
              support::exited(0));
  }));
#endif
  std::atomic<int> ticks{0};
  others.push_back(until(stop, [&] {  // arms timers, and has deadlines
    const auto a = sigpp::call_later(50us, [&] { ++ticks; });
    const auto b = sigpp::call_later(
        50us, [&] { ++ticks; }, here.dispatcher());
    sigpp::with_timeout(100us, [] { sigpp::sleep_for(1h); });
  }));

  senders_of_values.begin();
  while (handler.count() < total || background.count() < total || reader.count() < total) {
    sigpp::sleep_for(200us);
  }
  stop = true;
  for (std::thread& other : others) other.join();
  reading.join();
  senders_of_values.end();
  EXPECT_GT(ticks, 0);
  EXPECT_EQ(handler.twice() + reader.twice() + background.twice(), 0);
  EXPECT_EQ(stream.dropped(), 0U);
  RecordProperty("values", total);
  RecordProperty("held_back", static_cast<int>(sigpp::statistics(signum).held_back));
}

TEST(storm, exclusive_ones_come_in_the_order_of_the_kernel) {
  const int signum = SIGRTMIN + 1;
  const int each = support::trials(250'000);
  storm senders_of_values(signum, each);
  const sigpp::background here;
  std::vector<int> next(senders);
  for (int i = 0; i < senders; ++i) next[static_cast<std::size_t>(i)] = i * each;
  std::atomic<int> count{0};
  std::atomic<int> wrong{0};
  const auto s = sigpp::subscribe(
      {signum},
      [&](const signal_info& info) {
        const int value = info.value()->sival_int;
        auto& expected = next.at(static_cast<std::size_t>(value / each));
        if (value != expected) ++wrong;
        expected = value + 1;
        ++count;
      },
      here.dispatcher(), sigpp::exclusive);
  std::atomic<bool> stop{false};
  std::vector<std::thread> others;
  for (int i = 0; i < 2; ++i) others.push_back(until(stop, [] { std::this_thread::yield(); }));
  senders_of_values.begin();
  while (count < senders_of_values.total()) sigpp::sleep_for(1ms);
  stop = true;
  for (std::thread& other : others) other.join();
  senders_of_values.end();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(sigpp::statistics(signum).handled,
            static_cast<std::uint64_t>(senders_of_values.total()));
}

TEST(storm, a_flood_of_standard_signals_does_not_hide_the_last_one) {
  int flood = 0;
  bool terminated = false;
  sigpp::signal(SIGUSR1, [&] { ++flood; });
  sigpp::signal(SIGTERM, [&] { terminated = true; });
  const pid_t sender = ::fork();
  if (sender == 0) {
    for (int i = 0; i < 1000; ++i) ::kill(::getppid(), SIGUSR1);
    ::kill(::getppid(), SIGTERM);
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(sender, &status, 0) < 0) {  // busy elsewhere all the time
  }
  sigpp::check();
  EXPECT_TRUE(terminated);
  EXPECT_GT(flood, 0);
  const auto counts = sigpp::statistics(SIGUSR1);
  EXPECT_EQ(counts.received, counts.handled + counts.merged);
}

}  // namespace
