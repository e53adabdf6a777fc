// Sends signals to a contestant, and measures what that costs it. Prints one JSON object.
//   driver trips NUMBER same|across -- contestant...    ping-pong, on one processor or two
//   driver standard NUMBER SENDERS -- contestant...     a storm of SIGUSR1, then SIGTERM
//   driver queued NUMBER -- contestant...               the same of SIGRTMIN + 1 with values
//   driver start -- contestant...                       how long until it listens, what it holds
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

using words = std::vector<std::string>;

std::int64_t read_clock(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_nsec;
}
std::int64_t now() { return read_clock(CLOCK_MONOTONIC); }

void pin(pid_t process, int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(process, sizeof set, &set);  // one processor only: then it stays as it is
}

/// The contestant's process, from its line "ready" to its end.
class contestant {
 public:
  contestant(const words& command, const char* mode, long number, int cpu = -1) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      throw std::system_error(errno, std::generic_category());
    began_ = now();
    id_ = ::fork();
    if (id_ == 0) {
      if (cpu >= 0) pin(0, cpu);
      ::dup2(ends[1], 1);
      sigset_t none;
      sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      words all = command;
      all.emplace_back(mode);
      all.push_back(std::to_string(number));
      std::vector<char*> arguments;
      for (std::string& word : all) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      ::execvp(arguments[0], arguments.data());
      std::perror(arguments[0]);
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
    if (read_line() != "ready") {
      const int status = wait_for_end(5000);
      std::exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    ready_ = now();
    ::clock_getcpuclockid(id_, &cpu_);
  }
  contestant(const contestant&) = delete;
  contestant& operator=(const contestant&) = delete;
  ~contestant() {
    if (id_ > 0) {
      ::kill(id_, SIGKILL);
      ::waitpid(id_, nullptr, 0);
    }
  }

  [[nodiscard]] pid_t id() const { return id_; }
  [[nodiscard]] std::int64_t start_time() const { return ready_ - began_; }
  [[nodiscard]] std::int64_t cpu_time() const { return read_clock(cpu_); }
  [[nodiscard]] std::int64_t cpu_time_of_all() const { return used_; }  // once it has ended
  [[nodiscard]] bool ended() const { return id_ == 0; }

  /// A field of /proc/PID/status.
  [[nodiscard]] std::string status_of(std::string_view name) const {
    std::ifstream file("/proc/" + std::to_string(id_) + "/status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(name) && line[name.size()] == ':') return line.substr(name.size() + 1);
    }
    return {};
  }
  [[nodiscard]] long descriptors() const {
    using std::filesystem::directory_iterator;
    return std::distance(directory_iterator("/proc/" + std::to_string(id_) + "/fd"),
                         directory_iterator());
  }

  /// Without the newline; empty at the end of the output.
  std::string read_line() {
    std::string line;
    for (char c = 0; ::read(output_, &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }

  /// SIGTERM; what it printed, or nothing if it has not heard it.
  std::string end() {
    ::kill(id_, SIGTERM);
    pollfd readable{.fd = output_, .events = POLLIN, .revents = 0};
    std::string line;
    if (::poll(&readable, 1, 10'000) == 1) line = read_line();
    wait_for_end(2000);
    return line;
  }

 private:
  int wait_for_end(int milliseconds) {
    int status = 0;
    rusage usage{};
    const std::int64_t until = now() + milliseconds * std::int64_t{1'000'000};
    while (::wait4(id_, &status, WNOHANG, &usage) == 0) {
      if (now() > until) return -1;
      ::usleep(1000);
    }
    const auto nanoseconds = [](const timeval& t) {
      return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_usec * std::int64_t{1000};
    };
    used_ = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
    id_ = 0;
    return status;
  }

  pid_t id_ = 0;
  int output_ = -1;
  clockid_t cpu_{};
  std::int64_t began_ = 0;
  std::int64_t ready_ = 0;
  std::int64_t used_ = 0;
};

int trips(const words& arguments, const words& command) {
  const long number = std::stol(arguments.at(0));
  sigset_t answer;
  sigemptyset(&answer);
  sigaddset(&answer, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &answer, nullptr);
  pin(0, 0);
  contestant peer(command, "echo", ::getpid(), arguments.at(1) == "across" ? 1 : 0);
  std::vector<std::int64_t> times;
  std::int64_t cpu = 0;
  for (long i = -number / 10; i < number; ++i) {
    if (i == 0) cpu = peer.cpu_time();
    const std::int64_t sent = now();
    ::kill(peer.id(), SIGUSR1);
    const timespec patience{.tv_sec = 5, .tv_nsec = 0};
    if (::sigtimedwait(&answer, nullptr, &patience) < 0) {
      std::fprintf(stderr, "no answer to signal %ld\n", i);
      return 1;
    }
    if (i >= 0) times.push_back(now() - sent);
  }
  cpu = peer.cpu_time() - cpu;
  peer.end();
  std::sort(times.begin(), times.end());
  std::printf("{\"trip\": %lld, \"cpu\": %lld}\n", static_cast<long long>(times[times.size() / 2]),
              static_cast<long long>(cpu / number));
  return 0;
}

/// Each sender sends as many, with values that rise over all if there is one.
void send_from(int senders, const contestant& to, long number, int signum) {
  std::vector<pid_t> children;
  for (int i = 0; i < senders; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (long n = 0; n < number / senders; ++n) {
        if (signum == SIGUSR1) {
          ::kill(to.id(), signum);
        } else {
          sigval value{};
          value.sival_int = static_cast<int>(n);
          while (::sigqueue(to.id(), signum, value) != 0 && errno == EAGAIN) ::sched_yield();
        }
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) ::waitpid(child, nullptr, 0);
}

int storm(const words& arguments, const words& command, int signum) {
  const long number = std::stol(arguments.at(0));
  contestant peer(command, "storm", 0);
  const std::int64_t cpu_before = peer.cpu_time();
  const std::int64_t began = now();
  send_from(signum == SIGUSR1 ? std::stoi(arguments.at(1)) : 1, peer, number, signum);
  // SIGTERM would overtake those that still wait in the kernel.
  while (std::stoull(peer.status_of("ShdPnd"), nullptr, 16) != 0 &&
         now() - began < std::int64_t{60'000'000'000}) {
    ::usleep(1000);
  }
  const std::int64_t took = now() - began;
  const std::string said = peer.end();
  std::printf("{\"sent\": %ld, \"time\": %lld, \"cpu\": %lld, \"term\": %s, \"said\": %s}\n",
              number, static_cast<long long>(took),
              static_cast<long long>(peer.ended() ? peer.cpu_time_of_all() - cpu_before : 0),
              peer.ended() ? "true" : "false", said.empty() ? "null" : said.c_str());
  return 0;
}

// The best of ten.
int start(const words& command) {
  std::int64_t best = 0;
  for (int i = 0;; ++i) {
    contestant peer(command, "serve", 0);
    best = i == 0 ? peer.start_time() : std::min(best, peer.start_time());
    if (i == 9) {
      std::printf(
          "{\"start\": %lld, \"rss\": %ld, \"anonymous\": %ld, \"descriptors\": %ld, "
          "\"threads\": %ld}\n",
          static_cast<long long>(best), std::stol(peer.status_of("VmRSS")),
          std::stol(peer.status_of("RssAnon")), peer.descriptors(),
          std::stol(peer.status_of("Threads")));
      return 0;
    }
    peer.end();
  }
}

}  // namespace

int main(int argc, char** argv) {
  words arguments(argv + 1, argv + argc);
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  const words command(dashes == arguments.end() ? dashes : dashes + 1, arguments.end());
  arguments.erase(dashes, arguments.end());
  try {
    if (arguments.empty() || command.empty()) throw std::invalid_argument("too few words");
    const std::string what = arguments.front();
    arguments.erase(arguments.begin());
    if (what == "trips") return trips(arguments, command);
    if (what == "standard") return storm(arguments, command, SIGUSR1);
    if (what == "queued") return storm(arguments, command, SIGRTMIN + 1);
    if (what == "start") return start(command);
    throw std::invalid_argument("there is no " + what);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "driver: %s\n", e.what());
    return 2;
  }
}
