#include <cstdlib>
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

void handle_signal(int signum, const sigpp::signal_info&) {
  std::cout << "Received signal: " << signum << ". Gracefully shutting down.\n";
  std::exit(0);
}
int main() {
  sigpp::signal(SIGINT, handle_signal);
  std::cout << "Press Ctrl+C to exit...\n";
  while (true) sigpp::sleep_for(1s);
}
