// lost_wakeups VARIANT TRIALS: a signal aimed at the moment when a thread blocks.
//
// In each trial the waiter says that it begins, spins for 20 us, and waits for the signal; a child
// on another processor sends it 0 to 40 us after the beginning, uniformly. It is lost if its
// handler's effect is not seen 50 ms later, while the waiter sleeps: it stays unheard until
// something else happens. Prints {"trials": n, "lost": k}.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <new>
#include <random>
#include <string>

#include <sigpp/sigpp.hpp>

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr nanoseconds widest = 40us;
constexpr nanoseconds patience = 50ms;

// What both processes see.
struct board {
  std::atomic<long> begun{0};  // the trial that the waiter has begun
  std::atomic<long> heard{0};  // the last one whose signal has had its effect
  std::atomic<long> lost{0};
};
board& shared =
    *new (mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
        board{};

void spin_until(steady_clock::time_point end) {
  while (steady_clock::now() < end) {
  }
}

void stay_on_processor(int n) {
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (!CPU_ISSET(i, &all) || n-- > 0) continue;
    CPU_ZERO(&all);
    CPU_SET(i, &all);
    sched_setaffinity(0, sizeof all, &all);
    return;
  }
}

// Not that it has been late.
bool sleeps(pid_t process) {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(stat, line);
  const auto name_ends = line.rfind(") ");
  return name_ends != std::string::npos && line[name_ends + 2] == 'S';
}

void send(pid_t waiter, long trials) {
  std::mt19937 random{3};
  std::uniform_int_distribution<nanoseconds::rep> delay(0, widest.count());
  for (long trial = 1; trial <= trials; ++trial) {
    while (shared.begun < trial) {
    }
    spin_until(steady_clock::now() + nanoseconds(delay(random)));
    for (bool again = false; shared.heard < trial; again = true) {
      if (again) ++shared.lost;
      ::kill(waiter, SIGUSR1);  // one at a time: what comes too late would end the next trial
      const auto until = steady_clock::now() + patience;
      while (shared.heard < trial && (steady_clock::now() < until || !sleeps(waiter))) {
      }
    }
  }
}

// ---- the ways to wait --------------------------------------------------------------------------

volatile sig_atomic_t flag = 0;
std::array<int, 2> silent{};     // nobody writes to it
std::array<int, 2> self_pipe{};  // its handler does

void listen_raw(void (*handler)(int)) {
  struct sigaction action {};  // without SA_RESTART: the call shall end
  action.sa_handler = handler;
  sigaction(SIGUSR1, &action, nullptr);
}
void set_flag(int /*signum*/) { flag = 1; }

// `while (!flag) block();`
template <class Block>
std::function<void()> naive(Block block) {
  listen_raw(set_flag);
  return [block] {
    while (flag == 0) block();
    flag = 0;
  };
}

template <class Block>
std::function<void()> by_sigpp(Block block) {
  static bool heard = false;
  sigpp::signal(SIGUSR1, [] { heard = true; });
  return [block] {
    while (!heard) block();
    heard = false;
  };
}

// Read and sleep go on after a handler that returns, so it throws.
struct woken {};
template <class Block>
std::function<void()> by_throwing(Block block) {
  sigpp::signal(SIGUSR1, [] { throw woken{}; });
  return [block] {
    try {
      for (;;) block();
    } catch (const woken&) {
    }
  };
}

std::function<void()> by_pselect() {
  sigset_t blocked;
  static sigset_t during;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &during);
  return naive([] { ::pselect(0, nullptr, nullptr, nullptr, nullptr, &during); });
}

std::function<void()> by_self_pipe() {
  for (const int end : self_pipe) ::fcntl(end, F_SETFL, O_NONBLOCK);
  listen_raw([](int) { static_cast<void>(!::write(self_pipe[1], "x", 1)); });
  return [] {
    pollfd one{.fd = self_pipe[0], .events = POLLIN, .revents = 0};
    while (::poll(&one, 1, -1) < 1) {
    }
    std::array<char, 64> bytes{};
    static_cast<void>(!::read(self_pipe[0], bytes.data(), bytes.size()));
  };
}

const std::map<std::string, std::function<std::function<void()>()>> variants{
    {"naive_read",
     [] {
       return naive([] {
         char byte = 0;
         static_cast<void>(!::read(silent[0], &byte, 1));
       });
     }},
    {"naive_nanosleep",
     [] {
       return naive([] {
         const timespec hour{.tv_sec = 3600, .tv_nsec = 0};
         ::nanosleep(&hour, nullptr);
       });
     }},
    {"naive_pause", [] { return naive([] { ::pause(); }); }},
    {"pselect", by_pselect},
    {"self_pipe", by_self_pipe},
    {"sigpp_read",
     [] {
       return by_throwing([] {
         std::array<char, 1> byte{};
         sigpp::read(silent[0], byte);
       });
     }},
    {"sigpp_sleep_for", [] { return by_throwing([] { sigpp::sleep_for(1h); }); }},
    {"sigpp_pause", [] { return by_sigpp([] { sigpp::pause(); }); }},
};

}  // namespace

int main(int argc, char** argv) {
  const auto variant = argc == 3 ? variants.find(argv[1]) : variants.end();
  if (variant == variants.end()) {
    std::fputs("lost_wakeups VARIANT TRIALS; the variants are:\n", stderr);
    for (const auto& [name, make] : variants) std::fprintf(stderr, "  %s\n", name.c_str());
    return 2;
  }
  const long trials = std::atol(argv[2]);
  if (::pipe(silent.data()) != 0 || ::pipe(self_pipe.data()) != 0) return 1;

  const pid_t self = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    stay_on_processor(1);
    send(self, trials);
    ::_exit(0);
  }
  stay_on_processor(0);
  const std::function<void()> wait = variant->second();
  for (long trial = 1; trial <= trials; ++trial) {
    shared.begun = trial;
    spin_until(steady_clock::now() + widest / 2);
    wait();
    shared.heard = trial;
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::printf("{\"trials\": %ld, \"lost\": %ld}\n", trials, shared.lost.load());
  return status == 0 ? 0 : 1;
}
