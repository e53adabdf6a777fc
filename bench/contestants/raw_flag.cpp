// The handler sets a flag, and a loop that is busy otherwise looks at it: what check() is beside.
#include "contestant.hpp"

namespace {

std::array<std::atomic<bool>, 65> flags;

void on_signal(int signum) { flags[static_cast<std::size_t>(signum)] = true; }

struct loop {
  static constexpr bool tells_values = false;

  std::array<bench::callback, 65> callbacks;
  void on(int signum, bench::callback f) {
    callbacks[static_cast<std::size_t>(signum)] = std::move(f);
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    ::sigaction(signum, &action, nullptr);
  }
  void run(const std::atomic<bool>& stop) {
    while (!stop) {
      for (std::size_t n = 1; n < flags.size(); ++n) {
        if (flags[n].load(std::memory_order_relaxed) && flags[n].exchange(false)) callbacks[n](0);
      }
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  loop it;
  return bench::contest(it, argc, argv);
}
