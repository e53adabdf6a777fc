// What every contestant in C++ does, whatever library hears its signals. bench/README.md has the
// modes; those in other languages do the same.
#pragma once

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// Called where a program of this library would do its work; `value`: what sigqueue sent, or 0.
using callback = std::function<void(int value)>;

inline std::int64_t now() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_nsec;
}

/// Loop: on(signum, callback) listens; run(stop) waits as the library does until stop is true.
/// `static constexpr bool tells_values = false` in it: the library hands no value to a callback.
template <typename Loop>
class contestant {
 public:
  explicit contestant(Loop& loop) : loop_(loop) {}

  int contest(std::string_view mode, long argument) {
    if (mode == "latency") return latency(argument);
    if (mode == "echo") return echo(static_cast<pid_t>(argument));
    if (mode == "late") return late(argument);
    if (mode == "storm") return storm();
    if (mode == "serve") return serve();
    std::fprintf(stderr, "There is no mode %s; see bench/README.md\n", mode.data());
    return 2;
  }

 private:
  int latency(long rounds) {
    std::vector<std::int64_t> samples;
    samples.reserve(static_cast<std::size_t>(rounds));
    std::atomic<std::int64_t> heard{0};
    std::atomic<bool> stop{false};
    loop_.on(SIGUSR1, [&](int) {
      heard = now();
      stop = true;
    });
    const pid_t self = ::getpid();
    for (long i = -rounds / 10; i < rounds; ++i) {  // the first ones warm up
      stop = false;
      const std::int64_t sent = now();
      ::kill(self, SIGUSR1);
      loop_.run(stop);
      if (i >= 0) samples.push_back(heard - sent);
    }
    std::sort(samples.begin(), samples.end());
    std::printf("{\"min\": %lld, \"median\": %lld}\n", static_cast<long long>(samples.front()),
                static_cast<long long>(samples[samples.size() / 2]));
    return 0;
  }

  int echo(pid_t peer) {
    loop_.on(SIGUSR1, [peer](int) { ::kill(peer, SIGUSR1); });
    return until_term();
  }

  int late(long others) {
    std::atomic<bool> stop{false};
    loop_.on(SIGUSR2, [](int) {});
    loop_.on(SIGTERM, [&](int) { stop = true; });
    for (long i = 0; i < others; ++i) ::kill(::getpid(), SIGUSR2);
    ::kill(::getpid(), SIGTERM);
    loop_.run(stop);
    std::puts("{\"term\": true}");
    return 0;
  }

  int storm() {
    long standard = 0;
    long queued = 0;
    int last = -1;
    bool in_order = true;
    loop_.on(SIGUSR1, [&](int) { ++standard; });
    loop_.on(SIGRTMIN + 1, [&](int value) {
      ++queued;
      in_order = in_order && value > last;
      last = value;
    });
    const int status = until_term();
    const char* order = in_order ? "true" : "false";
    if constexpr (requires { Loop::tells_values; }) order = Loop::tells_values ? order : "null";
    std::printf("{\"standard\": %ld, \"queued\": %ld, \"in_order\": %s}\n", standard, queued,
                order);
    return status;
  }

  int serve() {
    loop_.on(SIGINT, [](int) {});
    return until_term();
  }

  int until_term() {
    std::atomic<bool> stop{false};
    loop_.on(SIGTERM, [&](int) { stop = true; });
    std::puts("ready");
    std::fflush(stdout);
    loop_.run(stop);
    return 0;
  }

  Loop& loop_;
};

/// For main: the last two arguments are the mode and its number.
template <typename Loop>
int contest(Loop& loop, int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "%s [variant] mode number; see bench/README.md\n", argv[0]);
    return 2;
  }
  return contestant<Loop>(loop).contest(argv[argc - 2], std::atol(argv[argc - 1]));
}

}  // namespace bench
