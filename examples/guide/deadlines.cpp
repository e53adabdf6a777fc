// A deadline for a call that blocks, for a loop, and for several attempts together.
#include <unistd.h>

#include <array>
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

namespace {

std::size_t ask(int from) {  // knows nothing of deadlines
  std::array<char, 100> some{};
  return sigpp::read(from, some);
}

}  // namespace

int main() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return 1;

  const auto answer = sigpp::with_timeout(100ms, [&] { return ask(ends[0]); });
  std::cout << (answer ? "An answer." : "No answer.") << std::endl;

  const bool computed = sigpp::with_timeout(100ms, [] {
    for (;;) sigpp::check();
  });
  std::cout << (computed ? "Computed." : "Too long.") << std::endl;

  const sigpp::timeout in_all(100ms);
  try {
    for (int attempt = 1;; ++attempt) {
      sigpp::with_timeout(1h, [&] { return ask(ends[0]); });
    }
  } catch (const sigpp::timed_out& over) {
    if (!over.of(in_all)) throw;  // a deadline of our caller: not for us
    std::cout << "No time for more attempts." << std::endl;
  }
}

// Prints:
// No answer.
// Too long.
// No time for more attempts.
