// "Ignoring Signals": `kill <pid>` does nothing to this program. `kill -KILL <pid>` ends it.
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

int main() {
  sigpp::signal(SIGTERM, SIG_IGN);  // signal.signal(signal.SIGTERM, signal.SIG_IGN)

  std::cout << "Waiting..." << std::endl;
  while (true) sigpp::sleep_for(1s);
}
