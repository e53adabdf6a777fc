// "When to Use Signals", all of it in one program:
//   SIGTERM, SIGINT   shut down gracefully       SIGALRM           give up after too long a silence
//   SIGHUP            reload the configuration   SIGPIPE, SIGTTIN  unwanted, ignored
//   SIGUSR2           work to do: the program asks the worker process that it has started, with
//                     SIGUSR1, and the worker answers with SIGUSR1
// Usage: putting_it_together [SECONDS OF SILENCE]
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include <sigpp/sigpp.hpp>

void load_configuration() { std::cout << "Configuration loaded." << std::endl; }

// The other process.
[[noreturn]] void work() {
  sigpp::signal(SIGTERM, SIG_DFL);
  sigpp::signal(SIGINT, SIG_IGN);  // Ctrl+C reaches every process of the terminal
  sigpp::signal(SIGHUP, SIG_IGN);
  while (true) sigpp::pause();
}

int main(int argc, char** argv) {
  const std::chrono::duration<double> silence{argc > 1 ? std::atof(argv[1]) : 60.0};
  const pid_t server = getpid();
  pid_t worker = 0;
  bool running = true;

  const auto shut_down = [&](int signum) {
    std::cout << sigpp::signal_name(signum) << ": shutting down." << std::endl;
    running = false;
  };
  sigpp::signal(SIGTERM, shut_down);
  sigpp::signal(SIGINT, shut_down);
  sigpp::signal(SIGALRM, shut_down);
  sigpp::signal(SIGHUP, load_configuration);
  sigpp::signal(SIGPIPE, SIG_IGN);
  sigpp::signal(SIGTTIN, SIG_IGN);
  sigpp::signal(SIGUSR2, [&] {
    std::cout << "Asking the worker." << std::endl;
    sigpp::kill(worker, SIGUSR1);
  });
  sigpp::signal(SIGUSR1, [&] {
    if (worker != 0) {
      std::cout << "The worker has answered." << std::endl;
    } else {
      std::cout << "Worker: done." << std::endl;
      sigpp::kill(server, SIGUSR1);
    }
  });

  load_configuration();
  worker = fork();  // the child keeps the handlers
  if (worker == 0) work();
  if (worker == -1) {
    std::perror("fork");
    return 1;
  }

  std::cout << "Waiting for signals..." << std::endl;
  while (running) {
    sigpp::setitimer(ITIMER_REAL, silence);
    sigpp::pause();
  }

  sigpp::kill(worker, SIGTERM);
  waitpid(worker, nullptr, 0);
  std::cout << "Goodbye." << std::endl;
}
