// Ctrl+C as in a Python script that does not handle it: the stack unwinds, then the program dies
// by SIGINT, so that the shell knows.
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

int main() {
  return sigpp::run([] {
    std::cout << "Press Ctrl+C to exit..." << std::endl;
    while (true) sigpp::sleep_for(1s);
  });
}
