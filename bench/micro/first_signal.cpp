// The first signal() of a process, which sets sigpp up, beside the first sigaction. Each in a fresh
// child: this process itself handles no signal.
#include <benchmark/benchmark.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <new>

#include <sigpp/signal.hpp>

namespace {

using std::chrono::steady_clock;

void by_sigaction() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, nullptr);
}

void by_sigpp() {
  sigpp::signal(SIGUSR1, [] {});
}

template <void (*listen)()>
void first(benchmark::State& state) {
  static auto* const taken =
      new (mmap(nullptr, sizeof(steady_clock::duration), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0)) steady_clock::duration{};
  for (auto _ : state) {
    const pid_t child = fork();
    if (child == 0) {
      const auto start = steady_clock::now();
      listen();
      *taken = steady_clock::now() - start;
      _exit(0);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child || status != 0) std::abort();
    state.SetIterationTime(std::chrono::duration<double>(*taken).count());
  }
}

}  // namespace

BENCHMARK(first<by_sigaction>)->Name("first_signal/sigaction")->UseManualTime()->Iterations(200);
BENCHMARK(first<by_sigpp>)->Name("first_signal/sigpp")->UseManualTime()->Iterations(200);
BENCHMARK_MAIN();
