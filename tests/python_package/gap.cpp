// Preloaded: what CPython's own signal() does to the system's action is seen by a signal at once.
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace {

int to_send = 0;
int sent = 0;

}  // namespace

// 0: nothing any more.
extern "C" void gap_send(int signum) { to_send = signum; }
extern "C" int gap_sent() { return sent; }

extern "C" int sigaction(int signum, const struct sigaction* action,
                         struct sigaction* old) noexcept {
  static const auto its = reinterpret_cast<decltype(&sigaction)>(dlsym(RTLD_NEXT, "sigaction"));
  const int result = its(signum, action, old);
  const bool cpythons = action != nullptr && (action->sa_flags & SA_SIGINFO) == 0;
  if (result == 0 && cpythons && signum == to_send) {
    ++sent;
    kill(getpid(), signum);  // comes before this returns, or on another thread
  }
  return result;
}
