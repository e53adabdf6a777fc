// "Using signal.setitimer() for Timers": SIGALRM ends the program after 5 seconds, not 10.
#include <cstdlib>
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

void timeout_handler() {  // def timeout_handler(signum, frame):
  std::cout << "Timeout! Exiting." << std::endl;
  std::exit(1);
}

int main() {
  sigpp::signal(SIGALRM, timeout_handler);  // signal.signal(signal.SIGALRM, timeout_handler)
  sigpp::setitimer(ITIMER_REAL, 5s);        // signal.setitimer(signal.ITIMER_REAL, 5)

  std::cout << "Waiting for timeout..." << std::endl;
  sigpp::sleep_for(10s);  // time.sleep(10)
}
