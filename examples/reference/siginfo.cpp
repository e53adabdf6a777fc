// struct_siginfo and frame: what is known of one arrival.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <string_view>

#include <sigpp/sigpp.hpp>

// The library or program that the instruction belongs to; a symbol's name is in dli_sname.
std::string_view file_of(const void* instruction) {
  Dl_info found{};
  if (dladdr(instruction, &found) == 0) return "?";
  const std::string_view path = found.dli_fname;
  return path.substr(path.rfind('/') + 1);
}

int main() {
  std::cout << std::boolalpha;

  // kill(2) says who has sent it.
  sigpp::signal(SIGUSR1, [](const sigpp::signal_info& info) {
    std::cout << sigpp::signal_name(info.number()) << '\n';     // si_signo
    std::cout << (info.code() == SI_USER) << '\n';              // si_code
    std::cout << info.native_handle().si_errno << '\n';         // si_errno
    std::cout << (info.pid() == getpid()) << '\n';              // si_pid
    std::cout << (info.uid() == getuid()) << '\n';              // si_uid
    std::cout << info.status().has_value() << ", no status\n";  // si_status

    // Where Python's handlers look at `frame`: what was this thread about to execute?
    const bool known = info.program_counter() != nullptr;
    std::cout << "in " << (known ? file_of(info.program_counter()) : "?") << '\n';
  });
  sigpp::kill(getpid(), SIGUSR1);

  // SIGCHLD is about a child.
  bool ended = false;
  sigpp::signal(SIGCHLD, [&ended](const sigpp::signal_info& info) {
    std::cout << "exit status " << info.status().value_or(-1) << '\n';
    ended = true;
  });
  std::cout.flush();  // what is buffered would be the child's, too
  const pid_t child = fork();
  if (child == 0) _exit(7);
  while (!ended) sigpp::pause();
  waitpid(child, nullptr, 0);
}

// Prints:
// SIGUSR1
// true
// 0
// true
// true
// false, no status
// in libc.so.6
// exit status 7
