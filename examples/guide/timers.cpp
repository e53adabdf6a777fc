// Timers that call functions of the main thread while it does something else.
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

int main() {
  bool over = false;
  int ticks = 0;

  const auto later = sigpp::call_later(200ms, [] { std::cout << "Second." << std::endl; });
  const auto soon = sigpp::call_later(100ms, [] { std::cout << "First." << std::endl; });
  auto never = sigpp::call_later(150ms, [] { std::cout << "Never." << std::endl; });
  never.cancel();

  const auto clock = sigpp::call_every(100ms, [&](std::uint64_t missed) {
    ticks += 1 + static_cast<int>(missed);  // missed: while the thread was busy
    over = ticks >= 5;
  });

  while (!over) sigpp::sleep_for(10ms);
  std::cout << "Five ticks." << std::endl;
}

// Prints:
// First.
// Second.
// Five ticks.
