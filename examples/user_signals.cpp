// "Handling Multiple Signals": one handler for two signals. Send them with `kill -USR1 <pid>`.
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

void handle_usr(int signum) {  // def handle_usr(signum, frame):
  std::cout << "Received user signal: " << signum << std::endl;
}

int main() {
  sigpp::signal(SIGUSR1, handle_usr);  // signal.signal(signal.SIGUSR1, handle_usr)
  sigpp::signal(SIGUSR2, handle_usr);  // signal.signal(signal.SIGUSR2, handle_usr)

  std::cout << "Waiting for SIGUSR1 or SIGUSR2..." << std::endl;
  while (true) sigpp::sleep_for(1s);  // time.sleep(1)
}
