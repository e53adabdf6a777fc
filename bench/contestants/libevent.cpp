#include <event2/event.h>

#include <deque>

#include "contestant.hpp"

namespace {

struct loop {
  static constexpr bool tells_values = false;
  event_base* const base = event_base_new();
  std::deque<bench::callback> callbacks;
  void on(int signum, bench::callback f) {
    callbacks.push_back(std::move(f));
    const auto call = [](evutil_socket_t, short, void* self) {
      (*static_cast<bench::callback*>(self))(0);
    };
    evsignal_add(evsignal_new(base, signum, call, &callbacks.back()), nullptr);
  }
  void run(const std::atomic<bool>& stop) {
    while (!stop) event_base_loop(base, EVLOOP_ONCE);
  }
};

}  // namespace

int main(int argc, char** argv) {
  loop it;
  return bench::contest(it, argc, argv);
}
