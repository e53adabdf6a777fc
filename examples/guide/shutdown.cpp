// Workers that block in different ways, and all end when a signal asks; clean-ups; a death that
// tells the truth.
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <thread>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

int main() {
  sigpp::shutdown_source shutdown({.grace = 30s});
  shutdown.defer([] { std::cout << "Closed the database." << std::endl; });
  shutdown.defer([] { std::cout << "Told the others." << std::endl; });  // later, so it is first

  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return 1;
  std::jthread reader([&, token = shutdown.get_token()] {  // in a blocking call of sigpp
    const sigpp::stop_scope scope(token);
    std::array<char, 100> some{};
    try {
      sigpp::read(ends[0], some);
    } catch (const sigpp::interrupted&) {
    }
  });
  std::jthread waiter([token = shutdown.get_token()] {  // in a call of the standard library
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait(lock, token, [] { return false; });
  });
  std::jthread thinker([token = shutdown.get_token()] {  // in none
    while (!token.stop_requested()) std::this_thread::yield();
  });

  sigpp::kill(getpid(), SIGTERM);
  shutdown.wait();
  std::cout << "Asked by " << sigpp::signal_name(shutdown.cause()->number()) << " of process "
            << (shutdown.cause()->pid() == getpid() ? "myself" : "another") << '.' << std::endl;
  for (std::jthread* each : {&reader, &waiter, &thinker}) each->join();
  std::cout << "All have ended." << std::endl;
  return shutdown.finish();
}

// Prints:
// Asked by SIGTERM of process myself.
// All have ended.
// Told the others.
// Closed the database.
// (killed by SIGTERM)
