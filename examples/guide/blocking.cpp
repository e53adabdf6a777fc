// A reader is stopped by its std::jthread's stop token, which a handler of Ctrl-C asks for.
#include <unistd.h>

#include <array>
#include <iostream>
#include <latch>
#include <string_view>
#include <thread>

#include <sigpp/sigpp.hpp>

int main() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return 1;
  std::latch one_was_read(1);

  std::jthread reader([&](const std::stop_token& token) {
    try {
      const sigpp::stop_scope stops(token);  // from here on a request to stop interrupts
      std::array<char, 100> some{};
      while (const auto n = sigpp::read(ends[0], some)) {
        std::cout << "Read: " << std::string_view(some.data(), n) << std::endl;
        one_was_read.count_down();
      }
    } catch (const sigpp::interrupted&) {
      std::cout << "The reader was stopped." << std::endl;
    }
  });
  sigpp::signal(SIGINT, [&] { reader.request_stop(); });

  sigpp::write(ends[1], "hello");
  one_was_read.wait();
  sigpp::raise_signal(SIGINT);  // what Ctrl-C does
}

// Prints:
// Read: hello
// The reader was stopped.
