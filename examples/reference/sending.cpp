// raise_signal, pthread_kill; os.kill and os.killpg: sending signals.
#include <unistd.h>

#include <iostream>
#include <thread>

#include <sigpp/sigpp.hpp>

int main() {
  sigpp::signal(SIGUSR1, [](const sigpp::signal_info& info) {
    std::cout << "SIGUSR1 from " << (info.pid() == getpid() ? "this process" : "elsewhere") << '\n';
  });

  // To this thread, or this process: the handler has run when these return.
  sigpp::raise_signal(SIGUSR1);                  // signal.raise_signal(signal.SIGUSR1)
  sigpp::pthread_kill(pthread_self(), SIGUSR1);  // signal.pthread_kill(threading.get_ident(), ...)
  sigpp::kill(getpid(), SIGUSR1);                // os.kill(os.getpid(), signal.SIGUSR1)

  // To another thread. Whichever takes it, the handler runs on the main thread, at a safe point.
  std::thread worker([] { sigpp::raise_signal(SIGUSR1); });
  worker.join();
  std::cout << "The worker has ended.\n";
  sigpp::check();

  // 0 sends nothing, and asks whether one could.
  sigpp::killpg(getpgrp(), 0);  // os.killpg(os.getpgrp(), 0)

  std::error_code error;
  sigpp::kill(getpid(), 4242, error);
  std::cout << (error == std::errc::invalid_argument ? "no such signal" : error.message()) << '\n';
}

// Prints:
// SIGUSR1 from this process
// SIGUSR1 from this process
// SIGUSR1 from this process
// The worker has ended.
// SIGUSR1 from this process
// no such signal
