// "Basic Signal Handling": Ctrl+C ends the program, gracefully.
#include <cstdlib>
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

void handle_signal(int signum, const sigpp::signal_info&) {  // def handle_signal(signum, frame):
  std::cout << "Received signal: " << signum << ". Gracefully shutting down." << std::endl;
  std::exit(0);
}

int main() {
  // Register signal handler for SIGINT (Ctrl+C)
  sigpp::signal(SIGINT, handle_signal);  // signal.signal(signal.SIGINT, handle_signal)

  std::cout << "Press Ctrl+C to exit..." << std::endl;
  while (true) sigpp::sleep_for(1s);  // time.sleep(1)
}
