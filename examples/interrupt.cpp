// A worker reads from a pipe that nobody writes to. A deadline, another thread, and Ctrl-C end the
// call at once, whatever instruction the worker is at. interrupt_naive.cpp is what hangs instead.
#include <unistd.h>

#include <array>
#include <future>
#include <iostream>
#include <thread>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

void work(int from) {
  std::array<char, 100> some{};
  const auto read = [&] { return sigpp::read(from, some); };

  if (!sigpp::with_timeout(2s, read)) std::cout << "Worker: nothing within 2 seconds.\n";

  std::thread other([me = sigpp::this_thread::handle()] { sigpp::interrupt(me); });
  try {
    read();
  } catch (const sigpp::interrupted&) {
    std::cout << "Worker: another thread has interrupted me.\n";
  }
  other.join();

  std::cout << "Worker: reads on. Press Ctrl+C." << std::endl;
  read();
}

int main() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return 1;
  std::promise<sigpp::thread_handle> started;
  std::thread worker([&] {
    started.set_value(sigpp::this_thread::handle());
    try {
      work(ends[0]);
    } catch (const sigpp::interrupted&) {
      std::cout << "Worker: interrupted." << std::endl;
    }
  });

  sigpp::signal(SIGINT, [handle = started.get_future().get()] {
    std::cout << "Main: Ctrl+C." << std::endl;
    sigpp::interrupt(handle);
  });
  std::cout << "Nobody writes to the pipe." << std::endl;
  sigpp::join(worker);  // handlers run meanwhile
}
