// Every SIG... constant. They are macros of <signal.h>, which the headers of sigpp include; so
// there is no sigpp::SIGINT.
#include <iostream>

#include <sigpp/sigpp.hpp>

int main() {
  for (int signum : {SIGABRT,   SIGALRM, SIGBUS,  SIGCHLD,   SIGCONT,  SIGFPE,  SIGHUP,  SIGILL,
                     SIGINT,    SIGIO,   SIGKILL, SIGPIPE,   SIGPROF,  SIGPWR,  SIGQUIT, SIGSEGV,
                     SIGSTKFLT, SIGSTOP, SIGSYS,  SIGTERM,   SIGTRAP,  SIGTSTP, SIGTTIN, SIGTTOU,
                     SIGURG,    SIGUSR1, SIGUSR2, SIGVTALRM, SIGWINCH, SIGXCPU, SIGXFSZ}) {
    std::cout << sigpp::signal_name(signum) << ": " << sigpp::strsignal(signum).value() << '\n';
  }
  // Second names.
  std::cout << (SIGCLD == SIGCHLD && SIGIOT == SIGABRT && SIGPOLL == SIGIO) << '\n';
  // Numbers that are known when the program runs: no `case SIGRTMIN:`.
  std::cout << (SIGRTMIN < SIGRTMAX && SIGRTMAX < NSIG) << '\n';
}

// Prints:
// SIGABRT: Aborted
// SIGALRM: Alarm clock
// SIGBUS: Bus error
// SIGCHLD: Child exited
// SIGCONT: Continued
// SIGFPE: Floating point exception
// SIGHUP: Hangup
// SIGILL: Illegal instruction
// SIGINT: Interrupt
// SIGIO: I/O possible
// SIGKILL: Killed
// SIGPIPE: Broken pipe
// SIGPROF: Profiling timer expired
// SIGPWR: Power failure
// SIGQUIT: Quit
// SIGSEGV: Segmentation fault
// SIGSTKFLT: Stack fault
// SIGSTOP: Stopped (signal)
// SIGSYS: Bad system call
// SIGTERM: Terminated
// SIGTRAP: Trace/breakpoint trap
// SIGTSTP: Stopped
// SIGTTIN: Stopped (tty input)
// SIGTTOU: Stopped (tty output)
// SIGURG: Urgent I/O condition
// SIGUSR1: User defined signal 1
// SIGUSR2: User defined signal 2
// SIGVTALRM: Virtual timer expired
// SIGWINCH: Window changed
// SIGXCPU: CPU time limit exceeded
// SIGXFSZ: File size limit exceeded
// 1
// 1
