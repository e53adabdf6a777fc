// interrupt.cpp as one writes it without sigpp: it hangs. The kernel gives Ctrl-C to the main
// thread, and SA_RESTART goes on with the read in any case. Without SA_RESTART, and sent to the
// worker, it still hangs when it comes after the look at `stop` and before the read.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <iostream>
#include <thread>

std::atomic<bool> stop{false};

extern "C" void on_signal(int) { stop = true; }

int main() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return 1;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);

  std::thread worker([from = ends[0]] {
    std::array<char, 100> some{};
    while (!stop) {
      std::cout << "Worker: reads. Nobody writes. Press Ctrl+C." << std::endl;
      if (::read(from, some.data(), some.size()) <= 0) break;
    }
    std::cout << "Worker: interrupted." << std::endl;
  });
  worker.join();
}
