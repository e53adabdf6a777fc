#include <ev.h>

#include <deque>

#include "contestant.hpp"

namespace {

struct loop {
  static constexpr bool tells_values = false;
  struct watcher : ev_signal {
    bench::callback call;
  };
  struct ev_loop* const ev = ev_default_loop(0);
  std::deque<watcher> watchers;  // libev keeps their addresses
  void on(int signum, bench::callback f) {
    watcher& w = watchers.emplace_back();
    w.call = std::move(f);
    const auto call = [](struct ev_loop*, ev_signal* self, int) {
      static_cast<watcher*>(self)->call(0);
    };
    ev_signal_init(&w, call, signum);
    ev_signal_start(ev, &w);
  }
  void run(const std::atomic<bool>& stop) {
    while (!stop) ev_run(ev, EVRUN_ONCE);
  }
};

}  // namespace

int main(int argc, char** argv) {
  loop it;
  return bench::contest(it, argc, argv);
}
