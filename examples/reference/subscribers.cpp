// What Python lacks: several functions for one signal, handlers of a thread's own, and code that
// none may interrupt.
#include <unistd.h>

#include <iostream>
#include <thread>

#include <sigpp/sigpp.hpp>

int main() {
  sigpp::signal(SIGUSR1, [] { std::cout << "the one of signal()\n"; });
  {
    const auto first = sigpp::subscribe({SIGUSR1, SIGUSR2}, [] { std::cout << "a first one\n"; });
    const auto second = sigpp::subscribe({SIGUSR1}, [] { std::cout << "a second one\n"; });
    sigpp::raise_signal(SIGUSR1);
  }
  sigpp::raise_signal(SIGUSR1);  // the subscribers are gone

  // A thread that asks for a dispatcher runs what is subscribed there, at its own safe points.
  std::thread worker([] {
    bool woken = false;
    const auto mine = sigpp::subscribe(
        {SIGUSR2}, [&woken] { woken = true; }, sigpp::this_thread::dispatcher());
    sigpp::kill(getpid(), SIGUSR2);  // whichever thread takes it
    while (!woken) sigpp::pause();
    std::cout << "the worker's own\n";
  });
  worker.join();

  {
    const sigpp::shield safe;
    sigpp::raise_signal(SIGUSR1);
    std::cout << "not now\n";
  }
  sigpp::check();
}

// Prints:
// the one of signal()
// a first one
// a second one
// the one of signal()
// the worker's own
// not now
// the one of signal()
