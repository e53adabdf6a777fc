// A thousand timers, a periodic one, and deadlines inside deadlines, by one timer of the kernel.
#include <iostream>
#include <vector>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

int main() {
  std::vector<sigpp::timer> timers;
  int called = 0;
  bool in_order = true;
  const auto start = std::chrono::steady_clock::now() + 100ms;
  for (int i = 0; i < 1000; ++i) {
    const int place = i * 389 % 1000;  // made in a muddle
    timers.push_back(sigpp::call_at(start + place * 100us, [&, place] {
      if (called++ != place) in_order = false;
    }));
  }
  while (called < 1000) sigpp::sleep_for(10ms);
  std::cout << called << " timers, " << (in_order ? "in order." : "in disorder.") << std::endl;

  int ticks = 0;
  {
    const auto clock = sigpp::call_every(100ms, [&] { ++ticks; });
    while (ticks < 3) sigpp::sleep_for(10ms);
    std::cout << "Three ticks, at least." << std::endl;
  }

  const auto all_day = [] { sigpp::sleep_for(24h); };
  sigpp::with_timeout(1h, [&] {
    if (!sigpp::with_timeout(100ms, all_day)) std::cout << "The inner deadline." << std::endl;
  });
  const bool done = sigpp::with_timeout(100ms, [&] { sigpp::with_timeout(1h, all_day); });
  if (!done) std::cout << "The outer deadline." << std::endl;
}
