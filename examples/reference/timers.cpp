// alarm, setitimer, getitimer, ItimerError, ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF.
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

int main() {
  sigpp::alarm(100s);                                         // signal.alarm(100)
  std::cout << sigpp::alarm(0s).count() << " s were left\n";  // 0 cancels

  // delay, interval = signal.setitimer(signal.ITIMER_VIRTUAL, 100, 1.5)
  sigpp::setitimer(ITIMER_VIRTUAL, 100s, 1500ms);
  const auto [delay, interval] = sigpp::getitimer(ITIMER_VIRTUAL);
  std::cout << std::boolalpha << (delay > 90s) << ", again every " << interval.count() << " us\n";
  const auto old = sigpp::setitimer(ITIMER_VIRTUAL, 0s);  // stops it
  std::cout << old.interval.count() << ", " << sigpp::getitimer(ITIMER_VIRTUAL).delay.count()
            << '\n';

  // Rounded up to microseconds: the smallest delay fires, it does not stop the timer.
  int calls = 0;
  sigpp::signal(SIGALRM, [&calls] { ++calls; });
  sigpp::setitimer(ITIMER_REAL, 1ns);
  while (calls == 0) sigpp::pause();
  std::cout << "SIGALRM\n";

  // The time that the process computes; with the kernel's for it: ITIMER_PROF and SIGPROF.
  bool computed = false;
  sigpp::signal(SIGPROF, [&computed] { computed = true; });
  sigpp::setitimer(ITIMER_PROF, 1ms);
  while (!computed) sigpp::check();
  std::cout << "SIGPROF\n";

  try {
    sigpp::setitimer(4242, 1s);
  } catch (const std::system_error& error) {  // except signal.ItimerError as error:
    std::cout << error.what() << '\n';
  }
}

// Prints:
// 100 s were left
// true, again every 1500000 us
// 1500000, 0
// SIGALRM
// SIGPROF
// sigpp::setitimer: timer 4242: Invalid argument
