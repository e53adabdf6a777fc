// What it costs to ask, again and again, whether there is something to do.
#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <numeric>
#include <stop_token>
#include <string>

#include <sigpp/check.hpp>

#ifdef BENCH_PYTHON
#include <Python.h>
#endif
#ifdef BENCH_CYSIGNALS
// What Cython generates in a module that has `from cysignals.signals cimport sig_check`: a pointer
// that the module takes from cysignals when it is imported.
#include <cysignals/cysignals_config.h>
#undef CYSIGNALS_C_ATOMIC  // C's _Atomic is not C++
#include <cysignals/struct_signals.h>
static cysigs_t* cysigs_of_module = nullptr;
static void (*interrupt_received)() = nullptr;
#define cysigs (*cysigs_of_module)
#define _sig_on_interrupt_received (*interrupt_received)
#define unlikely(x) __builtin_expect((x), 0)
static void _sig_on_recover() {}
static void _sig_off_warning(const char* /*file*/, int /*line*/) {}
#include <cysignals/macros.h>
#undef cysigs
#endif

namespace {

std::atomic<bool> flag{false};
std::stop_source source;
[[gnu::noinline]] void stop() { flag = false; }

struct nothing {
  void operator()() const {}
};
struct relaxed_load {
  void operator()() const {
    if (flag.load(std::memory_order_relaxed)) [[unlikely]]
      stop();
  }
};
struct sigpp_check {
  void operator()() const { sigpp::check(); }
};
struct stop_token {
  std::stop_token token = source.get_token();
  void operator()() const {
    if (token.stop_requested()) [[unlikely]]
      stop();
  }
};
#ifdef BENCH_PYTHON
struct py_err_check_signals {
  void operator()() const {
    if (PyErr_CheckSignals() != 0) [[unlikely]]
      stop();
  }
};
#endif
#ifdef BENCH_CYSIGNALS
struct cysignals_sig_check {
  void operator()() const {
    if (sig_check() == 0) [[unlikely]]
      stop();
  }
};
#endif

// Aligned alike: where a loop of two instructions lies changes what it costs.
template <class SafePoint>
[[gnu::aligned(64)]] void empty_loop(benchmark::State& state) {
  const SafePoint safe_point{};
  sigpp::check();  // a thread's first one makes it known
  for (auto _ : state) {
    for (int i = 0; i < 1000; ++i) {
      safe_point();
      benchmark::ClobberMemory();
    }
  }
  state.SetItemsProcessed(1000 * state.iterations());
}

// Eight per turn: the loop's own jump hides what a load costs.
template <class SafePoint>
[[gnu::aligned(64)]] void unrolled_loop(benchmark::State& state) {
  const SafePoint safe_point{};
  const auto ask = [&]() __attribute__((always_inline)) {
    safe_point();
    benchmark::ClobberMemory();
  };
  sigpp::check();
  for (auto _ : state) {
    for (int i = 0; i < 125; ++i) {
      ask();
      ask();
      ask();
      ask();
      ask();
      ask();
      ask();
      ask();
    }
  }
  state.SetItemsProcessed(1000 * state.iterations());
}

// About 10 ns of work: FNV-1a over eight words.
template <class SafePoint>
[[gnu::aligned(64)]] void working_loop(benchmark::State& state) {
  const SafePoint safe_point{};
  sigpp::check();
  std::array<std::uint64_t, 8> words{};
  std::iota(words.begin(), words.end(), 1);
  benchmark::DoNotOptimize(words.data());
  std::uint64_t hash = 14695981039346656037U;
  for (auto _ : state) {
    for (int i = 0; i < 1000; ++i) {
      safe_point();
      for (const std::uint64_t word : words) hash = (hash ^ word) * 1099511628211U;
      benchmark::DoNotOptimize(hash);
    }
  }
  state.SetItemsProcessed(1000 * state.iterations());
}

template <class SafePoint>
void add(const std::string& contestant) {
  benchmark::RegisterBenchmark(("empty_loop/" + contestant).c_str(), empty_loop<SafePoint>);
  benchmark::RegisterBenchmark(("unrolled_loop/" + contestant).c_str(), unrolled_loop<SafePoint>);
  benchmark::RegisterBenchmark(("working_loop/" + contestant).c_str(), working_loop<SafePoint>);
}

#ifdef BENCH_PYTHON
void start_python() {
  Py_InitializeEx(1);
#ifdef BENCH_CYSIGNALS
  PyObject* const module = PyImport_ImportModule("cysignals.signals");
  PyObject* const api = module ? PyObject_GetAttrString(module, "__pyx_capi__") : nullptr;
  if (api == nullptr) return PyErr_Print();
  const auto in = [&](const char* name, const char* type) {
    return PyCapsule_GetPointer(PyDict_GetItemString(api, name), type);
  };
  cysigs_of_module = static_cast<cysigs_t*>(in("cysigs", "cysigs_t"));
  interrupt_received =
      reinterpret_cast<void (*)()>(in("_sig_on_interrupt_received", "void (void)"));
  if (cysigs_of_module == nullptr || interrupt_received == nullptr) return PyErr_Print();
  add<cysignals_sig_check>("cysignals_sig_check");
#endif
  add<py_err_check_signals>("PyErr_CheckSignals");
}
#endif

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  add<nothing>("nothing");
  add<relaxed_load>("relaxed_load");
  add<sigpp_check>("sigpp_check");
  add<stop_token>("stop_token");
#ifdef BENCH_PYTHON
  start_python();
#endif
  benchmark::RunSpecifiedBenchmarks();
}
