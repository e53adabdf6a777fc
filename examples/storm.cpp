// A parent floods a busy child with signals, then asks it to end. The child computes between its
// safe points, and accounts for every signal. storm.py is the same by asyncio.
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <iomanip>
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr int rounds = 20000;  // each sends one of each

struct kind {
  int number;
  bool queued;  // by the kernel, one by one, with a value; it merges the others
  int handled = 0;
  bool in_order = true;
};
std::array kinds{kind{SIGUSR1, false}, kind{SIGUSR2, false}, kind{SIGRTMIN, true},
                 kind{SIGRTMIN + 1, true}};

void compute() {
  for (const auto end = steady_clock::now() + 1ms; steady_clock::now() < end;) {
  }
}

// Returns how many were lost.
int report() {
  int all_lost = 0;
  std::cout << "            sent  handled  merged: by sigpp  by the kernel    lost\n";
  for (const kind& each : kinds) {
    const auto counts = sigpp::statistics(each.number);
    // The kernel tells nobody what it has merged: it is what sigpp's handler was not told of.
    const auto told = static_cast<int>(counts.received);
    const int merged = static_cast<int>(counts.merged);
    const int by_kernel = each.queued ? 0 : rounds - told;
    const int lost = rounds - by_kernel - merged - each.handled;
    all_lost += lost;
    std::cout << std::left << std::setw(10) << sigpp::signal_name(each.number) << std::right
              << std::setw(6) << rounds << std::setw(9) << each.handled << std::setw(18) << merged
              << std::setw(15) << by_kernel << std::setw(8) << lost
              << (each.queued && each.in_order ? "  in order" : "") << '\n';
  }
  const auto all = sigpp::statistics();
  std::cout << "Held back " << all.held_back << " times; at most " << all.high_water
            << " were waiting." << std::endl;
  return all_lost;
}

// Signals that were sent before the SIGTERM may still come after it. One that is lost never does.
void wait_for_the_rest() {
  const auto is_missing = [] {
    for (const kind& each : kinds) {
      if (each.queued && each.handled < rounds) return true;
    }
    return false;
  };
  const auto patience = steady_clock::now() + 10s;
  while (is_missing() && steady_clock::now() < patience) sigpp::sleep_for(1ms);
}

int child(int ready) {
  // The kernel's queue is the user's: this storm shall not fill it for others.
  const rlimit few{2000, 2000};
  setrlimit(RLIMIT_SIGPENDING, &few);

  sigpp::alarm(120s);  // if the parent comes to grief
  sigpp::shutdown_source shutdown;
  for (kind& each : kinds) {
    sigpp::signal(each.number, [&each](const sigpp::signal_info& info) {
      const auto value = info.value();
      if (!value || value->sival_int != each.handled) each.in_order = false;
      ++each.handled;
    });
  }
  sigpp::write(ready, "!");

  while (!shutdown.requested()) {
    compute();
    sigpp::check();
  }
  wait_for_the_rest();
  std::cout << sigpp::signal_name(shutdown.cause()->number()) << " was heard. The account:\n";
  return report() == 0 ? shutdown.finish() : 1;
}

// Returns how often the kernel had no room (EAGAIN). The sender knows, so that nothing is lost.
int send(pid_t to, const kind& what, int value) {
  if (!what.queued) {
    sigpp::kill(to, what.number);
    return 0;
  }
  int refused = 0;
  sigval with{};
  with.sival_int = value;
  while (::sigqueue(to, what.number, with) != 0) {
    if (errno != EAGAIN) std::exit(1);  // the child is gone
    ++refused;
    sigpp::sleep_for(100us);
  }
  return refused;
}

int main() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return 1;
  const pid_t pid = fork();
  if (pid == -1) return 1;
  if (pid == 0) return child(ends[1]);
  std::array<char, 1> ready{};
  sigpp::read(ends[0], ready);

  int refused = 0;
  for (int i = 0; i < rounds; ++i) {
    for (const kind& each : kinds) refused += send(pid, each, i);
  }
  sigpp::kill(pid, SIGTERM);
  const int status = sigpp::waitpid(pid).status;
  std::cout << "The kernel's queue was full " << refused << " times: the sender tried again."
            << std::endl;
  if (!WIFSIGNALED(status)) return 1;
  std::cout << "The child was killed by " << sigpp::signal_name(WTERMSIG(status)) << '.'
            << std::endl;
  return WTERMSIG(status) == SIGTERM ? 0 : 1;
}
