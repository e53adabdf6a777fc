// std::cin is no safe point: another thread reads it, and the main thread waits for signals.
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include <sigpp/sigpp.hpp>

void read_lines() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << "Read: " << line << std::endl;
  }
  sigpp::raise_signal(SIGUSR1);  // for the main thread, whichever thread takes it
}

int main() {
  bool reading = true;
  sigpp::signal(SIGUSR1, [&] { reading = false; });
  sigpp::signal(SIGINT, [] {
    std::cout << "Interrupted." << std::endl;
    std::exit(1);
  });

  std::cout << "Type lines. Ctrl+D ends, Ctrl+C interrupts." << std::endl;
  std::thread(read_lines).detach();
  while (reading) sigpp::pause();
  std::cout << "End of input." << std::endl;
}
