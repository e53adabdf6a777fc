// One delivery, from kill to the end of the functions that hear it, as what surrounds it grows.
#include <benchmark/benchmark.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <latch>
#include <semaphore>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

namespace {

using namespace std::chrono_literals;

// A raw handler that sets a flag, which the loop looks at: what a program in C does.
std::atomic<int> raised{0};

void listen_raw(int signum) {
  struct sigaction action {};
  action.sa_handler = [](int) { raised.store(1, std::memory_order_relaxed); };
  action.sa_flags = SA_RESTART;
  sigaction(signum, &action, nullptr);
}

long calls = 0;

// ---- how many functions hear it ----------------------------------------------------------------

void subscribers_raw(benchmark::State& state) {
  listen_raw(SIGUSR1);
  const std::vector<std::function<void(int)>> all(static_cast<std::size_t>(state.range(0)),
                                                  [](int) { ++calls; });
  for (auto _ : state) {
    ::kill(::getpid(), SIGUSR1);
    if (raised.exchange(0) != 0) {
      for (const auto& each : all) each(SIGUSR1);
    }
  }
}

void subscribers_sigpp(benchmark::State& state) {
  std::vector<sigpp::subscription> all;
  for (auto i = state.range(0); i > 0; --i) {
    all.push_back(sigpp::subscribe({SIGUSR1}, [] { ++calls; }));
  }
  calls = 0;
  for (auto _ : state) {
    ::kill(::getpid(), SIGUSR1);
    sigpp::check();
  }
  if (calls != state.range(0) * static_cast<long>(state.iterations()))
    state.SkipWithError("not every function was called");
}

// ---- how many signals are caught ---------------------------------------------------------------

// Those that a program may catch without harm to the harness.
std::vector<int> some_signals(std::size_t count) {
  std::vector<int> all;
  for (const int signum : sigpp::valid_signals()) {
    const bool fault = signum == SIGSEGV || signum == SIGBUS || signum == SIGILL ||
                       signum == SIGFPE || signum == SIGTRAP || signum == SIGABRT;
    const bool stays = signum == SIGKILL || signum == SIGSTOP || signum == SIGSTKFLT;
    if (!fault && !stays && all.size() < count) all.push_back(signum);
  }
  return all;
}

template <class Look>
void deliver_each_in_turn(benchmark::State& state, const std::vector<int>& signals, Look look) {
  std::size_t next = 0;
  for (auto _ : state) {
    ::kill(::getpid(), signals[next]);
    look();
    next = (next + 1) % signals.size();
  }
}

void signals_raw(benchmark::State& state) {
  const std::vector<int> signals = some_signals(static_cast<std::size_t>(state.range(0)));
  for (const int signum : signals) listen_raw(signum);
  deliver_each_in_turn(state, signals, [] {
    if (raised.exchange(0) != 0) ++calls;
  });
  for (const int signum : signals) ::signal(signum, SIG_DFL);
}

void signals_sigpp(benchmark::State& state) {
  const std::vector<int> signals = some_signals(static_cast<std::size_t>(state.range(0)));
  std::vector<sigpp::subscription> all;
  for (const int signum : signals) all.push_back(sigpp::subscribe({signum}, [] { ++calls; }));
  deliver_each_in_turn(state, signals, [] { sigpp::check(); });
}

// ---- how many threads there are ----------------------------------------------------------------

// Threads that sleep until the end of the scope.
class sleepers {
 public:
  template <class Sleep>
  sleepers(long count, Sleep sleep) : ready_(count) {
    for (long i = 0; i < count; ++i) {
      threads_.emplace_back([this, sleep](const std::stop_token& stop) {
        sleep(stop, [this] { ready_.count_down(); });
      });
    }
    ready_.wait();
  }

 private:
  std::latch ready_;
  std::vector<std::jthread> threads_;
};

void threads_raw(benchmark::State& state) {
  listen_raw(SIGUSR1);
  const sleepers others(state.range(0), [](const std::stop_token& stop, auto ready) {
    std::binary_semaphore end{0};
    const std::stop_callback release(stop, [&] { end.release(); });
    ready();
    end.acquire();
  });
  for (auto _ : state) {
    ::kill(::getpid(), SIGUSR1);
    if (raised.exchange(0) != 0) ++calls;
  }
}

// Each of them runs handlers, and might be woken.
void threads_sigpp(benchmark::State& state) {
  const sleepers others(state.range(0), [](const std::stop_token& stop, auto ready) {
    const sigpp::dispatcher own = sigpp::this_thread::dispatcher();
    try {
      const sigpp::stop_scope stops(stop);
      ready();
      for (;;) sigpp::sleep_for(1h);
    } catch (const sigpp::interrupted&) {
    }
  });
  const auto heard = sigpp::subscribe({SIGUSR1}, [] { ++calls; });
  for (auto _ : state) {
    ::kill(::getpid(), SIGUSR1);
    sigpp::check();
  }
}

}  // namespace

BENCHMARK(subscribers_raw)->Name("subscribers/raw")->RangeMultiplier(10)->Range(1, 10'000);
BENCHMARK(subscribers_sigpp)->Name("subscribers/sigpp")->RangeMultiplier(10)->Range(1, 10'000);
BENCHMARK(signals_raw)->Name("signals/raw")->RangeMultiplier(4)->Range(1, 64);
BENCHMARK(signals_sigpp)->Name("signals/sigpp")->RangeMultiplier(4)->Range(1, 64);
BENCHMARK(threads_raw)->Name("threads/raw")->RangeMultiplier(10)->Range(1, 1'000);
BENCHMARK(threads_sigpp)->Name("threads/sigpp")->RangeMultiplier(10)->Range(1, 1'000);
BENCHMARK_MAIN();
