// Many timers, the ticks of one, and deadlines for single calls.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <sigpp/sigpp.hpp>

#ifdef BENCH_LIBUV
#include <uv.h>
#endif
#ifdef BENCH_LIBEVENT
#include <event2/event.h>
#include <event2/event_struct.h>
#endif
#ifdef BENCH_LIBEV
#undef EV_TIMEOUT  // libevent's, as those below
#undef EV_READ
#undef EV_WRITE
#undef EV_SIGNAL
#include <ev.h>
#endif
#ifdef BENCH_ASIO
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#endif
#ifdef BENCH_SD_EVENT
#include <systemd/sd-event.h>
#endif

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

void require(bool good) {
  if (!good) std::abort();
}

timespec to_timespec(nanoseconds t) {
  return {.tv_sec = static_cast<time_t>(t / 1s), .tv_nsec = static_cast<long>((t % 1s).count())};
}

// ---- many timers -------------------------------------------------------------------------------
// Each contestant has n timers, which call tick() once: arm(i, after) and cancel(i), as a program
// of that library does it; run() calls those that are due. settle() is what a cancelled timer costs
// when the loop runs next.

int ticks = 0;
void tick() { ++ticks; }

// Reads the clock in each call_later(); those below take the time from the last turn of their loop.
struct by_sigpp {
  std::vector<sigpp::timer> timers;
  explicit by_sigpp(std::size_t n) : timers(n) {}
  void arm(std::size_t i, nanoseconds after) { timers[i] = sigpp::call_later(after, tick); }
  void cancel(std::size_t i) { timers[i].cancel(); }
  void settle() { sigpp::check(); }
  void run() { sigpp::check(); }
};

// One that knows the time, as they do.
struct by_sigpp_call_at : by_sigpp {
  using by_sigpp::by_sigpp;
  steady_clock::time_point now = steady_clock::now();
  void arm(std::size_t i, nanoseconds after) { timers[i] = sigpp::call_at(now + after, tick); }
  void settle() {
    now = steady_clock::now();
    by_sigpp::settle();
  }
};

#ifdef BENCH_LIBUV
struct by_libuv {
  uv_loop_t loop{};
  std::vector<uv_timer_t> timers;
  explicit by_libuv(std::size_t n) : timers(n) {
    uv_loop_init(&loop);
    for (uv_timer_t& each : timers) uv_timer_init(&loop, &each);
  }
  ~by_libuv() {
    for (uv_timer_t& each : timers) uv_close(reinterpret_cast<uv_handle_t*>(&each), nullptr);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
  }
  by_libuv(const by_libuv&) = delete;
  by_libuv& operator=(const by_libuv&) = delete;
  void arm(std::size_t i, nanoseconds after) {
    uv_timer_start(
        &timers[i], [](uv_timer_t*) { tick(); }, static_cast<std::uint64_t>(after / 1ms), 0);
  }
  void cancel(std::size_t i) { uv_timer_stop(&timers[i]); }
  void settle() {}
  void run() { uv_run(&loop, UV_RUN_NOWAIT); }
};
#endif

#ifdef BENCH_LIBEVENT
struct by_libevent {
  event_base* base = event_base_new();
  std::vector<event> timers;
  explicit by_libevent(std::size_t n) : timers(n) {
    for (event& each : timers) {
      event_assign(
          &each, base, -1, 0, [](int, short, void*) { tick(); }, nullptr);
    }
  }
  ~by_libevent() {
    for (event& each : timers) event_del(&each);
    event_base_free(base);
  }
  by_libevent(const by_libevent&) = delete;
  by_libevent& operator=(const by_libevent&) = delete;
  void arm(std::size_t i, nanoseconds after) {
    const timeval at{.tv_sec = static_cast<time_t>(after / 1s),
                     .tv_usec = static_cast<suseconds_t>(after % 1s / 1us)};
    event_add(&timers[i], &at);
  }
  void cancel(std::size_t i) { event_del(&timers[i]); }
  void settle() {}
  void run() { event_base_loop(base, EVLOOP_NONBLOCK); }
};
#endif

#ifdef BENCH_LIBEV
struct by_libev {
  struct ev_loop* loop = ev_loop_new(0);
  std::vector<ev_timer> timers;
  explicit by_libev(std::size_t n) : timers(n) {}
  ~by_libev() { ev_loop_destroy(loop); }
  by_libev(const by_libev&) = delete;
  by_libev& operator=(const by_libev&) = delete;
  static void call(struct ev_loop*, ev_timer*, int) { tick(); }
  void arm(std::size_t i, nanoseconds after) {
    ev_timer_init(&timers[i], call, static_cast<double>(after.count()) / 1e9, 0.);
    ev_timer_start(loop, &timers[i]);
  }
  void cancel(std::size_t i) { ev_timer_stop(loop, &timers[i]); }
  void settle() {}
  void run() { ev_run(loop, EVRUN_NOWAIT); }
};
#endif

#ifdef BENCH_ASIO
struct by_asio {
  asio::io_context context{1};
  std::vector<asio::steady_timer> timers;
  explicit by_asio(std::size_t n) {
    timers.reserve(n);
    for (std::size_t i = 0; i < n; ++i) timers.emplace_back(context);
  }
  void arm(std::size_t i, nanoseconds after) {
    timers[i].expires_after(after);
    timers[i].async_wait([](const asio::error_code& error) {
      if (!error) tick();
    });
  }
  void cancel(std::size_t i) { timers[i].cancel(); }
  void settle() { run(); }
  void run() {
    context.restart();
    context.poll();
  }
};
#endif

#ifdef BENCH_SD_EVENT
struct by_sd_event {
  sd_event* loop = nullptr;
  std::vector<sd_event_source*> timers;
  explicit by_sd_event(std::size_t n) : timers(n) { require(sd_event_new(&loop) >= 0); }
  ~by_sd_event() {
    for (sd_event_source* each : timers) sd_event_source_unref(each);
    sd_event_unref(loop);
  }
  by_sd_event(const by_sd_event&) = delete;
  by_sd_event& operator=(const by_sd_event&) = delete;
  static int call(sd_event_source*, std::uint64_t, void*) {
    tick();
    return 0;
  }
  void arm(std::size_t i, nanoseconds after) {
    sd_event_source_unref(timers[i]);  // one that has been called
    sd_event_add_time_relative(loop, &timers[i], CLOCK_MONOTONIC,
                               static_cast<std::uint64_t>(after / 1us), 1, call, nullptr);
  }
  void cancel(std::size_t i) { timers[i] = sd_event_source_unref(timers[i]); }
  void settle() {}
  void run() { sd_event_run(loop, 0); }
};
#endif

// One timer of the kernel each; all send one real-time signal, which is blocked but in run().
struct by_timer_create {
  std::vector<std::optional<timer_t>> timers;
  sigset_t set{};
  explicit by_timer_create(std::size_t n) : timers(n) {
    struct sigaction action {};
    action.sa_handler = [](int) { tick(); };
    sigaction(SIGRTMIN + 3, &action, nullptr);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
  }
  ~by_timer_create() {
    for (std::size_t i = 0; i < timers.size(); ++i) cancel(i);
  }
  by_timer_create(const by_timer_create&) = delete;
  by_timer_create& operator=(const by_timer_create&) = delete;
  void arm(std::size_t i, nanoseconds after) {
    cancel(i);  // one that has fired
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGRTMIN + 3;
    timer_t made{};
    require(timer_create(CLOCK_MONOTONIC, &event, &made) == 0);
    timers[i] = made;
    itimerspec at{};
    at.it_value = to_timespec(std::max(after, 1ns));  // 0 would disarm
    timer_settime(made, 0, &at, nullptr);
  }
  void cancel(std::size_t i) {
    if (timers[i]) timer_delete(*timers[i]);
    timers[i].reset();
  }
  void settle() {}
  void run() {
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
  }
};

struct by_timerfd {
  int poller = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<int> timers;
  explicit by_timerfd(std::size_t n) : timers(n, -1) {}
  ~by_timerfd() {
    for (std::size_t i = 0; i < timers.size(); ++i) cancel(i);
    ::close(poller);
  }
  by_timerfd(const by_timerfd&) = delete;
  by_timerfd& operator=(const by_timerfd&) = delete;
  void arm(std::size_t i, nanoseconds after) {
    cancel(i);  // one that has fired
    timers[i] = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = timers[i];
    require(::epoll_ctl(poller, EPOLL_CTL_ADD, timers[i], &event) == 0);
    itimerspec at{};
    at.it_value = to_timespec(std::max(after, 1ns));
    ::timerfd_settime(timers[i], 0, &at, nullptr);
  }
  void cancel(std::size_t i) {
    if (timers[i] >= 0) ::close(std::exchange(timers[i], -1));
  }
  void settle() {}
  void run() {
    std::array<epoll_event, 64> ready{};
    const int count = ::epoll_wait(poller, ready.data(), static_cast<int>(ready.size()), 0);
    for (int k = 0; k < count; ++k) {
      std::uint64_t expirations = 0;
      if (::read(ready[static_cast<std::size_t>(k)].data.fd, &expirations, sizeof expirations) > 0)
        tick();
    }
  }
};

std::size_t allocated() {
  const struct mallinfo2 now = mallinfo2();
  return now.uordblks + now.hblkhd;
}

nanoseconds some_hours() {
  static std::mt19937_64 random{1};
  return 1h + nanoseconds(random() % static_cast<std::uint64_t>(nanoseconds(1h).count()));
}

// Bytes of the heap for each. In a child, so that nothing is there from another measurement.
template <class Timers>
double bytes_each(std::size_t pending) {
  std::array<int, 2> ends{};
  require(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::size_t before = allocated();
    Timers all(pending);
    for (std::size_t i = 0; i < pending; ++i) all.arm(i, some_hours());
    const double bytes = static_cast<double>(allocated() - before) / static_cast<double>(pending);
    ::_exit(::write(ends[1], &bytes, sizeof bytes) == sizeof bytes ? 0 : 1);
  }
  double bytes = 0;
  require(::read(ends[0], &bytes, sizeof bytes) == sizeof bytes);
  for (const int end : ends) ::close(end);
  require(::waitpid(child, nullptr, 0) == child);
  return bytes;
}

template <class F>
nanoseconds time_of(F f) {
  const auto start = steady_clock::now();
  f();
  return steady_clock::now() - start;
}

// `pending` timers; in each round some of them, anywhere among them, are cancelled, armed again,
// and then, in another turn that is not part of the round's time, made due and run.
template <class Timers>
void many_timers(benchmark::State& state, std::size_t pending, double bytes) {
  std::vector<std::size_t> order(pending);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random{2};
  const std::size_t batch = std::min<std::size_t>(pending, 256);

  Timers all(pending);
  for (const std::size_t i : order) all.arm(i, some_hours());
  all.settle();

  nanoseconds arming{};
  nanoseconds cancelling{};
  nanoseconds firing{};
  std::vector<nanoseconds> lengths(batch);
  for (auto _ : state) {
    for (std::size_t i = 0; i < batch; ++i) {
      std::swap(order[i], order[i + random() % (pending - i)]);
      lengths[i] = some_hours();
    }
    const nanoseconds cancelled = time_of([&] {
      for (std::size_t i = 0; i < batch; ++i) all.cancel(order[i]);
      all.settle();
    });
    const nanoseconds armed = time_of([&] {
      for (std::size_t i = 0; i < batch; ++i) all.arm(order[i], lengths[i]);
    });
    for (std::size_t i = 0; i < batch; ++i) all.cancel(order[i]);
    all.settle();
    ticks = 0;
    for (std::size_t i = 0; i < batch; ++i) all.arm(order[i], {});
    firing += time_of([&] {
      while (ticks < static_cast<int>(batch)) all.run();
    });
    for (std::size_t i = 0; i < batch; ++i) all.arm(order[i], lengths[i]);
    all.settle();
    arming += armed;
    cancelling += cancelled;
    using seconds = std::chrono::duration<double>;
    state.SetIterationTime(seconds(armed + cancelled).count() / static_cast<double>(batch));
  }
  const auto mean = [&](nanoseconds sum) {
    return static_cast<double>(sum.count()) / static_cast<double>(batch) /
           static_cast<double>(state.iterations());
  };
  state.counters["arm_ns"] = mean(arming);
  state.counters["cancel_ns"] = mean(cancelling);
  state.counters["fire_ns"] = mean(firing);
  if (bytes != 0) state.counters["bytes"] = bytes;
}

template <class Timers>
void add(const std::string& contestant, std::size_t most = SIZE_MAX, bool counts_memory = true) {
  std::size_t last = 0;
  for (const std::size_t wanted : {1U, 1'000U, 100'000U, 1'000'000U}) {
    const std::size_t pending = std::min(wanted, most);
    if (pending == last) break;  // as many as the system allows, once
    last = pending;
    const std::string name = "timers/" + contestant + "/" + std::to_string(pending);
    const double bytes = counts_memory && pending > 1 ? bytes_each<Timers>(pending) : 0;
    benchmark::RegisterBenchmark(name.c_str(), many_timers<Timers>, pending, bytes)
        ->UseManualTime()
        ->Iterations(pending == 1 ? 5000 : 40);
  }
}

// Most of what the system allows.
std::size_t limit(__rlimit_resource resource) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return 0;
  now.rlim_cur = now.rlim_max;
  ::setrlimit(resource, &now);
  return static_cast<std::size_t>(std::min<rlim_t>(now.rlim_cur, 10'000'000) / 20 * 19);
}

// ---- ticks of 1 ms -----------------------------------------------------------------------------

constexpr int beats = 1000;

// How late the beats are on a regular beat, whose drift is told apart. `at`: the number of each
// beat, and when its function ran.
void report(benchmark::State& state, const std::vector<std::pair<int, nanoseconds>>& at) {
  const auto& [last, end] = at.back();
  const auto& [first, begin] = at.front();
  const double period =
      static_cast<double>((end - begin).count()) / static_cast<double>(last - first);
  const double drift = period - 1e6;
  std::vector<double> late;
  for (const auto& [number, when] : at) {
    late.push_back(static_cast<double>(when.count()) - number * 1e6 - (number - first) * drift);
  }
  std::sort(late.begin(), late.end());
  const double median = late[late.size() / 2];
  state.SetIterationTime(std::max(median, 0.) / 1e9);
  state.counters["median_ns"] = median;
  state.counters["p99_ns"] = late[late.size() * 99 / 100];
  state.counters["drift_ns"] = std::round(drift);
  state.counters["left_out"] = last - static_cast<double>(at.size());
}

void beat_of_sigpp(benchmark::State& state) {
  for (auto _ : state) {
    std::vector<std::pair<int, nanoseconds>> at;
    int number = 0;
    const auto start = steady_clock::now();
    const auto timer = sigpp::call_every(1ms, [&](std::uint64_t missed) {
      number += 1 + static_cast<int>(missed);
      at.emplace_back(number, steady_clock::now() - start);
    });
    while (number < beats) sigpp::pause();
    report(state, at);
  }
}

void beat_of_timerfd(benchmark::State& state) {
  for (auto _ : state) {
    std::vector<std::pair<int, nanoseconds>> at;
    const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    itimerspec every{};
    every.it_value = every.it_interval = to_timespec(1ms);
    const auto start = steady_clock::now();
    ::timerfd_settime(fd, 0, &every, nullptr);
    for (int number = 0; number < beats;) {
      std::uint64_t expirations = 0;
      require(::read(fd, &expirations, sizeof expirations) == sizeof expirations);
      number += static_cast<int>(expirations);
      at.emplace_back(number, steady_clock::now() - start);
    }
    ::close(fd);
    report(state, at);
  }
}

#ifdef BENCH_LIBUV
void beat_of_libuv(benchmark::State& state) {
  for (auto _ : state) {
    struct {
      std::vector<std::pair<int, nanoseconds>> at;
      steady_clock::time_point start;
    } own;
    uv_loop_t loop;
    uv_loop_init(&loop);
    uv_timer_t timer;
    uv_timer_init(&loop, &timer);
    timer.data = &own;
    own.start = steady_clock::now();
    const auto call = [](uv_timer_t* t) {
      auto& mine = *static_cast<decltype(own)*>(t->data);
      const int number = static_cast<int>(mine.at.size()) + 1;
      mine.at.emplace_back(number, steady_clock::now() - mine.start);
      if (number == beats) uv_close(reinterpret_cast<uv_handle_t*>(t), nullptr);
    };
    uv_timer_start(&timer, call, 1, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    // It counts in whole milliseconds, from somewhere within the current one: from the first beat.
    const nanoseconds early = own.at.front().second - 1ms;
    for (auto& [number, when] : own.at) when -= early;
    report(state, own.at);
  }
}
#endif

// ---- a deadline around something that ends in time ---------------------------------------------

void clock_read(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(steady_clock::now());
}

void timeout_of_sigpp(benchmark::State& state) {
  for (auto _ : state) {
    const sigpp::timeout scope(10s);
    benchmark::ClobberMemory();
  }
}

// Several deep: the inner ones are earlier.
void inner_timeout_of_sigpp(benchmark::State& state) {
  const sigpp::timeout outer(20s);
  timeout_of_sigpp(state);
}

void by_timer_settime(benchmark::State& state) {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN + 4;
  timer_t timer{};
  require(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  const itimerspec in_10_s{.it_interval = {}, .it_value = to_timespec(10s)};
  const itimerspec never{};
  for (auto _ : state) {
    timer_settime(timer, 0, &in_10_s, nullptr);
    benchmark::ClobberMemory();
    timer_settime(timer, 0, &never, nullptr);
  }
  timer_delete(timer);
}

void by_timerfd_settime(benchmark::State& state) {
  const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  const itimerspec in_10_s{.it_interval = {}, .it_value = to_timespec(10s)};
  const itimerspec never{};
  for (auto _ : state) {
    ::timerfd_settime(fd, 0, &in_10_s, nullptr);
    benchmark::ClobberMemory();
    ::timerfd_settime(fd, 0, &never, nullptr);
  }
  ::close(fd);
}

void by_setitimer(benchmark::State& state) {
  const itimerval in_10_s{.it_interval = {}, .it_value = {.tv_sec = 10, .tv_usec = 0}};
  const itimerval never{};
  for (auto _ : state) {
    ::setitimer(ITIMER_REAL, &in_10_s, nullptr);
    benchmark::ClobberMemory();
    ::setitimer(ITIMER_REAL, &never, nullptr);
  }
}

BENCHMARK(clock_read)->Name("scoped_timeout/clock_read");
BENCHMARK(timeout_of_sigpp)->Name("scoped_timeout/sigpp");
BENCHMARK(inner_timeout_of_sigpp)->Name("scoped_timeout/sigpp_nested");
BENCHMARK(by_timer_settime)->Name("scoped_timeout/timer_settime");
BENCHMARK(by_timerfd_settime)->Name("scoped_timeout/timerfd_settime");
BENCHMARK(by_setitimer)->Name("scoped_timeout/setitimer");

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  add<by_sigpp>("sigpp");
  add<by_sigpp_call_at>("sigpp_call_at");
#ifdef BENCH_LIBUV
  add<by_libuv>("libuv");
#endif
#ifdef BENCH_LIBEVENT
  add<by_libevent>("libevent");
#endif
#ifdef BENCH_LIBEV
  add<by_libev>("libev");
#endif
#ifdef BENCH_ASIO
  add<by_asio>("asio");
#endif
#ifdef BENCH_SD_EVENT
  add<by_sd_event>("sd_event");
#endif
  add<by_timer_create>("timer_create", limit(RLIMIT_SIGPENDING), false);
  add<by_timerfd>("timerfd", limit(RLIMIT_NOFILE), false);
  const auto beat = [](const char* name, void (*f)(benchmark::State&)) {
    benchmark::RegisterBenchmark(name, f)->UseManualTime()->Iterations(1);
  };
  beat("beat_1ms/timerfd", beat_of_timerfd);
  beat("beat_1ms/sigpp", beat_of_sigpp);
#ifdef BENCH_LIBUV
  beat("beat_1ms/libuv", beat_of_libuv);
#endif
  benchmark::RunSpecifiedBenchmarks();
}
