#include <systemd/sd-event.h>

#include <deque>

#include "contestant.hpp"

namespace {

struct loop {
  sd_event* event = nullptr;
  std::deque<bench::callback> callbacks;
  loop() { sd_event_default(&event); }
  void on(int signum, bench::callback f) {
    sigset_t one;  // sd-event wants the signal blocked
    sigemptyset(&one);
    sigaddset(&one, signum);
    ::sigprocmask(SIG_BLOCK, &one, nullptr);
    callbacks.push_back(std::move(f));
    const auto call = [](sd_event_source*, const signalfd_siginfo* info, void* self) {
      (*static_cast<bench::callback*>(self))(info->ssi_int);
      return 0;
    };
    sd_event_add_signal(event, nullptr, signum, call, &callbacks.back());
  }
  void run(const std::atomic<bool>& stop) {
    while (!stop) sd_event_run(event, UINT64_MAX);
  }
};

}  // namespace

int main(int argc, char** argv) {
  loop it;
  return bench::contest(it, argc, argv);
}
