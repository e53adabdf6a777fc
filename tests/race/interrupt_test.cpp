// No lost wake-up and no lost byte: read and sleep_for at random moments around what ends them,
// from another thread, from another process, from interrupt(), from a timeout, and from several at
// once. A sender whose round does not end in time counts a lost wake-up, and wakes by a signal
// more; the usual pattern loses some in the same rounds.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <functional>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/aim.hpp"
#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

struct woken {};

struct two_ends {
  int in = -1;
  int out = -1;
  two_ends() {
    int ends[2];
    if (pipe(ends) == 0) {
      in = ends[0];
      out = ends[1];
    }
  }
  ~two_ends() {
    ::close(in);
    ::close(out);
  }
  two_ends(const two_ends&) = delete;
  two_ends& operator=(const two_ends&) = delete;

  void put() const { EXPECT_EQ(::write(out, "x", 1), 1); }
};

// What happens in a round: both sides know, as both draw the same numbers.
struct round_plan {
  bool signal = false;
  bool interrupt = false;
  bool byte = false;
  bool byte_first = false;
  std::optional<nanoseconds> timeout;
  nanoseconds delay{};  // of the sender; up to 20 us, sometimes up to 100
};

// A process cannot interrupt a thread of another one; the usual pattern knows signals alone.
enum class can { do_all, only_send, only_signal };
enum class does { read, sleep };

class plans {
 public:
  plans(can able, does what) : able_(able), what_(what) {}
  round_plan next() {
    round_plan p;
    const int dice = number(100);
    if (dice < 35) {
      p.signal = true;
    } else if (dice < 60) {
      p.interrupt = true;
    } else if (dice < 70) {
      p.byte = true;
    } else if (dice < 80) {
      p.timeout = nanoseconds(number(30'000));
    } else {  // several at once
      p.signal = number(2) == 0;
      p.interrupt = number(2) == 0;
      p.byte = number(2) == 0;
      if (number(2) == 0) p.timeout = nanoseconds(number(30'000));
    }
    if (what_ == does::sleep) p.byte = false;
    if (able_ == can::only_send && p.interrupt) {
      p.interrupt = false;
      p.signal = true;
    }
    if (!p.signal && !p.interrupt && !p.byte && !p.timeout) p.signal = true;
    if (able_ == can::only_signal) {
      p = {};
      p.signal = true;
    }
    p.byte_first = number(2) == 0;
    p.delay = nanoseconds(number(number(10) == 0 ? 100'000 : 20'000));
    return p;
  }

 private:
  int number(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }

  can able_;
  does what_;
  std::mt19937 random_{7};
};

void spin(nanoseconds length) {
  const auto end = steady_clock::now() + length;
  while (steady_clock::now() < end) {
  }
}

// Shared with a sender that may be another process.
struct board {
  std::atomic<int> round;  // that the waiter has come to; the one after the last: it is done
  std::atomic<int> lost;
  std::atomic<int> lost_in;  // the first of them: a round
};

board& shared_board() { return support::shared_with_children<board>(); }

struct sender {
  std::function<void()> signal;
  std::function<void()> interrupt;
  std::function<void()> put;
  nanoseconds patience = 10s;

  void play(int rounds, plans all) const {
    board& b = shared_board();
    while (b.round < 1) std::this_thread::yield();
    for (int i = 1; i <= rounds && b.round <= rounds; ++i) {  // else the waiter has given up
      const round_plan p = all.next();
      spin(p.delay);
      if (p.byte && p.byte_first) put();
      if (p.signal) signal();
      if (p.interrupt) interrupt();
      if (p.byte && !p.byte_first) put();
      wait_for_round(i + 1);
    }
  }

 private:
  // Patience is counted, not measured: a machine that stands still for a while is not impatient.
  void wait_for_round(int next) const {
    board& b = shared_board();
    for (int looks = static_cast<int>(patience / 1ms); b.round < next && looks > 0; --looks) {
      const auto until = steady_clock::now() + 1ms;
      while (b.round < next && steady_clock::now() < until) std::this_thread::yield();
    }
    if (b.round >= next) return;
    if (++b.lost == 1) b.lost_in = next - 1;
    while (b.round < next) {
      signal();
      std::this_thread::yield();
    }
  }
};

struct tally {
  int signals = 0;
  int interrupts = 0;
  int bytes = 0;
  int timeouts = 0;
  friend bool operator==(const tally&, const tally&) = default;
};

std::ostream& operator<<(std::ostream& out, const tally& t) {
  return out << t.signals << " signals, " << t.interrupts << " interrupts, " << t.bytes
             << " bytes, " << t.timeouts << " timeouts";
}

// The waiter of all rounds: each goes on until all that was sent in it has come, each as what it
// is. Its timeout, if it has one, may come or not when something else is sent, too.
void wait_for_rounds(int rounds, plans all, does what, int in) {
  tally got;
  tally due;
  std::array<char, 4> to{};
  pid_t last_sender = 0;
  sigpp::signal(SIGUSR1, [&](const sigpp::signal_info& info) {
    last_sender = info.pid().value_or(-1);
    ++got.signals;
    throw woken{};
  });
  const auto block = [&] {
    if (what == does::sleep) {
      sigpp::sleep_for(1h);
    } else {
      got.bytes += static_cast<int>(sigpp::read(in, to));
    }
    return 0;
  };
  // true: by its time
  const auto block_once = [&](std::optional<nanoseconds> limit) {
    try {
      if (limit) return !sigpp::with_timeout(*limit, block);
      block();
    } catch (const woken&) {
    } catch (const sigpp::interrupted&) {
      ++got.interrupts;
    }
    return false;
  };
  std::mt19937 random{8};
  for (int i = 1; i <= rounds; ++i) {
    const round_plan p = all.next();
    due.signals += p.signal ? 1 : 0;
    due.interrupts += p.interrupt ? 1 : 0;
    due.bytes += p.byte ? 1 : 0;
    due.timeouts = got.timeouts;
    shared_board().round = i;
    spin(nanoseconds(std::uniform_int_distribution<int>(0, 20'000)(random)));
    if (p.timeout) {
      const bool over = block_once(p.timeout);
      if (!over && !p.signal && !p.interrupt && !p.byte) {
        ADD_FAILURE() << "round " << i << " has not been ended by its time: " << got << " of "
                      << due << ", the last signal by process " << last_sender;
        break;
      }
      got.timeouts += over ? 1 : 0;
      due.timeouts = got.timeouts;
    }
    while (got != due && shared_board().lost == 0) block_once(std::nullopt);
    if (shared_board().lost != 0) {
      ADD_FAILURE() << "round " << shared_board().lost_in << " has not ended; in round " << i
                    << " there is " << got << " of " << due;
      break;
    }
  }
  shared_board().round = rounds + 1;
  std::cout << rounds << " rounds, " << shared_board().lost << " lost: " << got << '\n';
  EXPECT_EQ(got, due);
}

void play_with_a_thread(int rounds, does what) {
  const two_ends ends;
  const pthread_t self = pthread_self();
  const sigpp::thread_handle handle = sigpp::this_thread::handle();
  const sender from{.signal = [=] { ::pthread_kill(self, SIGUSR1); },
                    .interrupt = [=] { sigpp::interrupt(handle); },
                    .put = [&] { ends.put(); }};
  const plans all(can::do_all, what);
  // A thread that takes no signals: they shall come to the waiter.
  std::thread helper;
  {
    const sigpp::signal_mask none(sigpp::signal_set{SIGUSR1});
    helper = std::thread([&] {
      support::stay_on_processor(1);
      from.play(rounds, all);
    });
  }
  support::stay_on_processor(0);
  wait_for_rounds(rounds, all, what, ends.in);
  helper.join();
  EXPECT_EQ(shared_board().lost, 0);
}

// Forks the sender, which begins when the waiter has come to the first round.
template <class Wait>
void play_with_a_process(int rounds, const plans& all, nanoseconds patience, Wait wait) {
  const two_ends ends;
  const pid_t self = getpid();
  const sender from{.signal = [=] { ::kill(self, SIGUSR1); },
                    .interrupt = [] {},
                    .put = [&] { ends.put(); },
                    .patience = patience};
  shared_board();  // mapped before the fork
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    support::stay_on_processor(1);
    from.play(rounds, all);
    _exit(0);
  }
  support::stay_on_processor(0);
  wait(ends.in);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  EXPECT_EQ(support::describe_status(status), support::exited(0));
}

void play_with_a_process(int rounds, does what) {
  const plans all(can::only_send, what);
  play_with_a_process(rounds, all, 10s, [&](int in) { wait_for_rounds(rounds, all, what, in); });
  EXPECT_EQ(shared_board().lost, 0);
}

// Of each kind of call, by both senders.
const int rounds_of_each = support::trials(100'000);

TEST(interrupt_storm, read_by_a_thread) { play_with_a_thread(rounds_of_each, does::read); }
TEST(interrupt_storm, read_by_a_process) { play_with_a_process(rounds_of_each, does::read); }
TEST(interrupt_storm, sleep_for_by_a_thread) { play_with_a_thread(rounds_of_each, does::sleep); }
TEST(interrupt_storm, sleep_for_by_a_process) { play_with_a_process(rounds_of_each, does::sleep); }

// ---- the negative control: look at a flag and a clock, then block -------------------------------

volatile sig_atomic_t seen = 0;
constexpr int enough = 3;  // losses, to have shown them

void wait_naively(int rounds, does what, int in) {
  struct sigaction action {};  // without SA_RESTART
  action.sa_handler = [](int) { seen = 1; };
  sigaction(SIGUSR1, &action, nullptr);
  const auto deadline = steady_clock::now() + 1h;
  const timespec long_time{.tv_sec = 3600, .tv_nsec = 0};
  std::array<char, 4> to{};
  std::mt19937 random{8};
  for (int i = 1; i <= rounds && shared_board().lost < enough; ++i) {
    shared_board().round = i;
    spin(nanoseconds(std::uniform_int_distribution<int>(0, 20'000)(random)));
    while (seen == 0 && steady_clock::now() < deadline) {
      if (what == does::sleep) {
        nanosleep(&long_time, nullptr);
      } else {
        static_cast<void>(!::read(in, to.data(), to.size()));
      }
    }
    seen = 0;
  }
  shared_board().round = rounds + 1;
}

void expect_losses(does what) {
  constexpr int rounds = 100'000;  // also where other tests make do with fewer: it is all luck
  play_with_a_process(rounds, plans(can::only_signal, what), 20ms,
                      [&](int in) { wait_naively(rounds, what, in); });
  const int lost = shared_board().lost;
  std::cout << lost << " lost, in at most " << rounds << " rounds\n";
  EXPECT_GT(lost, 0);
}

TEST(interrupt_storm, a_naive_read_loses_some) {
  SKIP_UNDER_TSAN();
  expect_losses(does::read);
}
TEST(interrupt_storm, a_naive_sleep_loses_some) {
  SKIP_UNDER_TSAN();
  expect_losses(does::sleep);
}

// ---- many threads ------------------------------------------------------------------------------

constexpr int many = 64;

TEST(interrupt_storm, many_threads_in_read_are_all_interrupted_at_once) {
  const two_ends ends;
  std::array<std::atomic<pid_t>, many> ids{};
  std::array<sigpp::thread_handle, many> handles;
  std::atomic<int> interrupted{0};
  std::atomic<int> wrong{0};
  const int rounds = support::trials(40);
  std::barrier ready(many + 1);
  const auto serve = [&](std::size_t i) {
    ids[i] = static_cast<pid_t>(syscall(SYS_gettid));
    handles[i] = sigpp::this_thread::handle();
    for (int round = 0; round < rounds; ++round) {
      ready.arrive_and_wait();
      try {
        std::array<char, 1> to{};
        sigpp::read(ends.in, to);
        ++wrong;
      } catch (const sigpp::interrupted&) {
        ++interrupted;
      }
      ready.arrive_and_wait();
    }
  };
  std::vector<std::thread> all;
  for (std::size_t i = 0; i < many; ++i) all.emplace_back(serve, i);
  for (int round = 0; round < rounds; ++round) {
    ready.arrive_and_wait();
    if (round % 2 == 0) {  // else they are on their way there
      for (const auto& id : ids) support::wait_until_it_sleeps(id);
    }
    for (const auto& handle : handles) EXPECT_TRUE(sigpp::interrupt(handle));
    ready.arrive_and_wait();
    EXPECT_EQ(interrupted, many * (round + 1));
  }
  for (std::thread& each : all) each.join();
  EXPECT_EQ(wrong, 0);
}

// Each read ends in time with its byte, or by its deadline without it: then the byte is still
// there.
TEST(interrupt_storm, many_threads_whose_deadlines_race_with_completion) {
  std::array<two_ends, many> pipes;
  std::atomic<int> in_time{0};
  std::atomic<int> late{0};
  std::atomic<int> wrong{0};
  std::atomic<steady_clock::time_point> deadline{};
  const int rounds = support::trials(300);
  std::barrier ready(many + 1);
  const auto serve = [&](std::size_t i) {
    for (int round = 0; round < rounds; ++round) {
      ready.arrive_and_wait();
      std::array<char, 2> to{};
      try {
        bool has_byte = false;
        try {
          const sigpp::timeout scope(deadline.load());
          has_byte = sigpp::read(pipes[i].in, to) == 1;
          if (!has_byte) ++wrong;
        } catch (const sigpp::timed_out&) {
          if (has_byte) ++wrong;
        }
        ++(has_byte ? in_time : late);
        sigpp::check();  // the deadline is over for good
        if (!has_byte && sigpp::read(pipes[i].in, to) != 1) ++wrong;
        sigpp::check();
      } catch (const sigpp::timed_out&) {
        ++wrong;
      }
      ready.arrive_and_wait();
    }
  };
  std::vector<std::thread> all;
  for (std::size_t i = 0; i < many; ++i) all.emplace_back(serve, i);
  std::mt19937 random{9};
  for (int round = 0; round < rounds; ++round) {
    const auto at = steady_clock::now() + 2ms;
    deadline = at;
    ready.arrive_and_wait();
    std::this_thread::sleep_until(
        at - std::chrono::microseconds(std::uniform_int_distribution<int>(0, 400)(random)));
    for (const two_ends& each : pipes) each.put();
    ready.arrive_and_wait();
  }
  for (std::thread& each : all) each.join();
  std::cout << in_time << " in time, " << late << " late\n";
  EXPECT_EQ(in_time + late, many * rounds);
  EXPECT_GT(in_time, 0);
  EXPECT_GT(late, 0);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
