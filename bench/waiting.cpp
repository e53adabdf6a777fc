// From the moment of sending to the handler, for a thread that waits: waiting VARIANT NUMBER.
// Both threads stay on one processor, and the sender sends once the other one sleeps.
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "contestants/contestant.hpp"

namespace {

using namespace std::chrono_literals;

std::atomic<std::int64_t> heard{0};
std::atomic<bool> done{false};
std::atomic<bool> listens{false};  // a signal that comes before that would kill
int self_pipe[2];

// false: that was the last one.
bool hear() {
  const bool more = !done;
  heard = bench::now();
  return more;
}
void hear_in_handler(int /*signum*/) { hear(); }
void write_to_pipe(int /*signum*/) { static_cast<void>(!::write(self_pipe[1], "x", 1)); }

void raw_handler() {
  ::signal(SIGUSR1, hear_in_handler);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  listens = true;
  while (!done) ::sigsuspend(&before);
}

sigset_t block() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

void raw_sigwaitinfo() {
  const sigset_t set = block();
  listens = true;
  do {
    ::sigwaitinfo(&set, nullptr);
  } while (hear());
}

int epoll_of(int descriptor) {
  const int epoll = ::epoll_create1(0);
  epoll_event event{.events = EPOLLIN, .data = {}};
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
  return epoll;
}

void raw_signalfd() {
  const sigset_t set = block();
  const int descriptor = ::signalfd(-1, &set, SFD_NONBLOCK);
  const int epoll = epoll_of(descriptor);
  listens = true;
  do {
    epoll_event event{};
    ::epoll_wait(epoll, &event, 1, -1);
    signalfd_siginfo info{};
    static_cast<void>(!::read(descriptor, &info, sizeof info));
  } while (hear());
}

void raw_self_pipe() {
  static_cast<void>(!::pipe(self_pipe));
  struct sigaction action {};
  action.sa_handler = write_to_pipe;
  ::sigaction(SIGUSR1, &action, nullptr);
  listens = true;
  do {
    pollfd readable{.fd = self_pipe[0], .events = POLLIN, .revents = 0};
    while (::poll(&readable, 1, -1) != 1) {
    }
    char byte = 0;
    static_cast<void>(!::read(self_pipe[0], &byte, 1));
  } while (hear());
}

void sigpp_pause() {
  bool more = true;
  sigpp::signal(SIGUSR1, [&] { more = hear(); });
  listens = true;
  while (more) sigpp::pause();
}

void sigpp_sleep_for() {
  struct end {};
  sigpp::signal(SIGUSR1, [] {
    if (!hear()) throw end();
  });
  listens = true;
  try {
    sigpp::sleep_for(24h);
  } catch (const end&) {
  }
}

void sigpp_stream() {
  sigpp::signal_stream stream{SIGUSR1};
  listens = true;
  do {
    stream.next();
  } while (hear());
}

void sigpp_background() {
  const sigpp::background here;
  std::atomic<bool> more{true};
  const auto s = sigpp::subscribe(
      {SIGUSR1},
      [&] {
        more = hear();
        more.notify_all();
      },
      here.dispatcher());
  listens = true;
  more.wait(true);
}

void sigpp_epoll() {
  sigpp::manual_dispatcher loop;
  bool more = true;
  const auto s = sigpp::subscribe(
      {SIGUSR1}, [&] { more = hear(); }, loop.dispatcher());
  const int epoll = epoll_of(loop.native_handle());
  listens = true;
  while (more) {
    epoll_event event{};
    if (::epoll_wait(epoll, &event, 1, -1) == 1) loop.dispatch();
  }
}

const std::map<std::string_view, void (*)()> variants{
    {"raw_handler", raw_handler},   {"raw_sigwaitinfo", raw_sigwaitinfo},
    {"raw_signalfd", raw_signalfd}, {"raw_self_pipe", raw_self_pipe},
    {"sigpp_pause", sigpp_pause},   {"sigpp_sleep_for", sigpp_sleep_for},
    {"sigpp_stream", sigpp_stream}, {"sigpp_background", sigpp_background},
    {"sigpp_epoll", sigpp_epoll}};

// All threads but this one.
void wait_until_all_sleep() {
  const std::string me = std::to_string(::syscall(SYS_gettid));
  for (;;) {
    bool all = true;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      if (task.path().filename() == me) continue;
      std::ifstream file(task.path() / "stat");
      std::string id;
      std::string name;
      std::string state;
      file >> id >> name >> state;
      all = all && state == "S";
    }
    if (all) return;
    ::sched_yield();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto variant = argc == 3 ? variants.find(argv[1]) : variants.end();
  if (variant == variants.end()) {
    for (const auto& [name, unused] : variants) std::fprintf(stderr, "%s ", name.data());
    std::fputs(": waiting VARIANT NUMBER\n", stderr);
    return 2;
  }
  const long number = std::atol(argv[2]);
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  ::sched_setaffinity(0, sizeof first, &first);
  std::vector<std::int64_t> samples;
  std::thread sender([&] {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    while (!listens) ::sched_yield();
    for (long i = -number / 10; i <= number; ++i) {
      wait_until_all_sleep();
      if (i == number) done = true;
      heard = 0;
      const std::int64_t sent = bench::now();
      ::kill(::getpid(), SIGUSR1);
      while (heard == 0) ::sched_yield();
      if (i >= 0) samples.push_back(heard - sent);
    }
  });
  variant->second();
  sender.join();
  std::sort(samples.begin(), samples.end());
  std::printf("{\"min\": %lld, \"median\": %lld}\n", static_cast<long long>(samples.front()),
              static_cast<long long>(samples[samples.size() / 2]));
}
