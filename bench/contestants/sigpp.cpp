// sigpp in its ways to wait, but sigpp_pause.cpp's: sigpp VARIANT mode number.
#include <poll.h>
#include <sys/epoll.h>

#include <functional>
#include <list>
#include <map>
#include <optional>

#include <sigpp/sigpp.hpp>

#include "contestant.hpp"

namespace {

struct on_main_thread {
  std::list<sigpp::subscription> kept;
  void on(int signum, bench::callback f) {
    kept.push_back(sigpp::subscribe({signum}, [f = std::move(f)](const sigpp::signal_info& info) {
      f(info.value() ? info.value()->sival_int : 0);
    }));
  }
};

struct by_check : on_main_thread {
  static void run(const std::atomic<bool>& stop) {
    while (!stop) sigpp::check();
  }
};

// One stream for all signals, made when the loop begins.
struct by_stream {
  std::map<int, bench::callback> callbacks;
  std::optional<sigpp::signal_stream> stream;
  void on(int signum, bench::callback f) {
    callbacks[signum] = std::move(f);
    sigpp::signal_set all;
    for (const auto& [n, unused] : callbacks) all.insert(n);
    stream.emplace(all, sigpp::stream_options{.policy = sigpp::when_full::stall});
  }
  void run(const std::atomic<bool>& stop) {
    while (!stop) {
      const sigpp::signal_info info = stream->next();
      callbacks[info.number()](info.value() ? info.value()->sival_int : 0);
    }
  }
};

struct in_background {
  sigpp::background thread;
  std::list<sigpp::subscription> kept;
  std::atomic<unsigned> calls{0};
  void on(int signum, bench::callback f) {
    kept.push_back(sigpp::subscribe(
        {signum},
        [this, f = std::move(f)](const sigpp::signal_info& info) {
          f(info.value() ? info.value()->sival_int : 0);
          ++calls;
          calls.notify_one();
        },
        thread.dispatcher()));
  }
  void run(const std::atomic<bool>& stop) const {
    for (unsigned n = calls; !stop; n = calls) calls.wait(n);
  }
};

struct by_epoll {
  sigpp::manual_dispatcher loop;
  std::list<sigpp::subscription> kept;
  int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  by_epoll() {
    epoll_event event{.events = EPOLLIN, .data = {}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, loop.native_handle(), &event);
  }
  void on(int signum, bench::callback f) {
    kept.push_back(sigpp::subscribe(
        {signum},
        [f = std::move(f)](const sigpp::signal_info& info) {
          f(info.value() ? info.value()->sival_int : 0);
        },
        loop.dispatcher()));
  }
  void run(const std::atomic<bool>& stop) {
    while (!stop) {
      epoll_event event{};
      if (::epoll_wait(epoll, &event, 1, -1) == 1) loop.dispatch();
    }
  }
};

template <typename Loop>
int contest(int argc, char** argv) {
  Loop loop;
  return bench::contest(loop, argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string_view, int (*)(int, char**)> variants{
      {"check", contest<by_check>},
      {"stream", contest<by_stream>},
      {"background", contest<in_background>},
      {"epoll", contest<by_epoll>}};
  const auto variant = argc > 1 ? variants.find(argv[1]) : variants.end();
  if (variant == variants.end()) {
    std::fputs("sigpp check|stream|background|epoll mode number\n", stderr);
    return 2;
  }
  return variant->second(argc, argv);
}
