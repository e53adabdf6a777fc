// Programs that are started with signals that are theirs, and not their parent's.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>

#include <sigpp/sigpp.hpp>

extern char** environ;  // NOLINT(readability-redundant-declaration): some systems have none

namespace {

char shell[] = "sh";
char option[] = "-c";
char script[] = "kill -USR1 $$; echo Deaf to SIGUSR1.";
char* const arguments[] = {shell, option, script, nullptr};

void wait_for(pid_t child) {
  const int status = sigpp::waitpid(child).status;
  if (!WIFSIGNALED(status)) return;
  std::cout << "Ended by " << sigpp::signal_name(WTERMSIG(status)) << '.' << std::endl;
}

template <class F>
void start(F before_exec) {
  const pid_t child = fork();
  if (child == 0) {
    before_exec();
    execv("/bin/sh", arguments);
    _exit(127);
  }
  wait_for(child);
}

void spawn() {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigpp::prepare_spawn(attributes);
  pid_t child = 0;
  posix_spawn(&child, "/bin/sh", nullptr, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  wait_for(child);
}

}  // namespace

int main() {
  sigpp::signal(SIGTERM, [] { std::cout << "Never: the children get it." << std::endl; });
  const sigpp::signal_mask quiet{SIGUSR1};

  start([] {});                           // exec keeps the mask
  start([] { sigpp::prepare_child(); });  // nothing blocked, nothing caught
  spawn();                                // the same

  start([] {
    ::raise(SIGTERM);        // one that comes just now: exec would forget it
    sigpp::prepare_child();  // it does what it would do to the shell
  });
}

// Prints:
// Deaf to SIGUSR1.
// Ended by SIGUSR1.
// Ended by SIGUSR1.
// Ended by SIGTERM.
