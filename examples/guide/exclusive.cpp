// Real-time signals in the order in which the kernel queues them: one thread alone takes them.
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <thread>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

int main() {
  // Before other threads start: they inherit the mask of this one, which blocks the signal now.
  const sigpp::background here;
  std::atomic<int> count{0};
  std::atomic<bool> in_order{true};
  const auto s = sigpp::subscribe(
      {SIGRTMIN},
      [&](const sigpp::signal_info& info) {
        if (info.thread() == getpid()) in_order = false;  // the main thread took it
        ++count;
      },
      here.dispatcher(), sigpp::exclusive);
  std::thread other([] {
    for (int i = 0; i < 100; ++i) sigpp::kill(getpid(), SIGRTMIN);
  });
  other.join();
  while (count < 100) sigpp::sleep_for(1ms);
  std::cout << "All " << count << (in_order ? ", by one thread." : ", by several.") << std::endl;
}

// Prints:
// All 100, by one thread.
