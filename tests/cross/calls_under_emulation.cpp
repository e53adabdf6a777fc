// For architectures that the machine at hand does not have: the stub, run by an emulator. No test
// framework, which would have to be built for each. What an emulator cannot show: real memory
// ordering and pipelines, and single steps.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "blocking/calls.hpp"

namespace {

using namespace std::chrono_literals;

int failures = 0;

void expect(bool good, const char* what) {
  std::printf("%s: %s\n", good ? "ok" : "FAILED", what);
  if (!good) ++failures;
}

struct stop {};

// A signal at a random instant around the call: it ends the call, and never a byte is lost.
bool storm(int trials) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return false;
  const pthread_t self = ::pthread_self();
  std::atomic<int> round{0};
  std::atomic<bool> with_byte{false};
  std::thread sender([&] {
    std::mt19937 random(1);
    for (int i = 1; i <= trials; ++i) {
      while (round != i) std::this_thread::yield();
      for (volatile unsigned wait = static_cast<unsigned>(random() % 3000); wait > 0;)
        wait = wait - 1;
      if (with_byte) static_cast<void>(!::write(ends[1], "x", 1));
      ::pthread_kill(self, SIGUSR1);
    }
  });
  sigpp::signal(SIGUSR1, [] { throw stop{}; });
  int sent = 0;
  int got = 0;
  for (int i = 1; i <= trials; ++i) {
    with_byte = i % 3 == 0;
    sent += with_byte ? 1 : 0;
    round = i;
    try {
      for (;;) {  // until the signal, which always comes
        std::byte byte{};
        got += static_cast<int>(sigpp::read(ends[0], {&byte, 1}));
      }
    } catch (const stop&) {
    }
  }
  sender.join();
  sigpp::signal(SIGUSR1, SIG_IGN);
  std::byte byte{};
  while (got < sent) got += static_cast<int>(sigpp::read(ends[0], {&byte, 1}));
  return got == sent;
}

}  // namespace

int main() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return 1;
  std::byte byte{};
  expect(!sigpp::with_timeout(10ms,
                              [&] {
                                sigpp::read(ends[0], {&byte, 1});
                              }),
         "a deadline ends a read");
  expect(sigpp::blocking::by_the_stub(), "the stub has passed its test");
  int calls = 0;
  sigpp::signal(SIGALRM, [&] {
    if (++calls == 3) static_cast<void>(!::write(ends[1], "x", 1));
  });
  sigpp::setitimer(ITIMER_REAL, 5ms, 5ms);
  expect(sigpp::read(ends[0], {&byte, 1}) == 1 && calls >= 3, "handlers run and the read goes on");
  sigpp::setitimer(ITIMER_REAL, 0s);
  std::atomic<bool> ready{false};
  sigpp::thread_handle handle;
  std::atomic<bool> ended{false};
  std::thread blocked([&] {
    handle = sigpp::this_thread::handle();
    ready = true;
    try {
      std::byte mine{};
      sigpp::read(ends[0], {&mine, 1});
    } catch (const sigpp::interrupted&) {
      ended = true;
    }
  });
  while (!ready) std::this_thread::yield();
  sigpp::interrupt(handle);
  sigpp::join(blocked);
  expect(ended, "interrupt ends it on another thread");
  int ticks = 0;
  {
    const auto every = sigpp::call_every(2ms, [&] { ++ticks; });
    sigpp::sleep_for(30ms);
  }
  expect(ticks > 2, "timers run");
  expect(storm(20'000), "20000 signals at any instant: none slept through, no byte lost");
  return failures == 0 ? 0 : 1;
}
