// Any POSIX.1-2008 system: nothing but what section 2.4.3 lists.
#include "in_handler/os.hpp"

#include <pthread.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

namespace sigpp::inline v1::in_handler::os {

static_assert(sizeof(pthread_t) <= sizeof(thread_id));

thread_id current_thread() noexcept {
  return (thread_id)(pthread_self());  // pthread_self: POSIX.1-2017 2.4.3; an integer or a pointer
}

pid_t kernel_id(thread_id) noexcept { return 0; }

void ring(thread_id thread) noexcept {
  pthread_kill((pthread_t)(thread), SIGPP_DOORBELL_SIGNAL);  // pthread_kill: POSIX.1-2017 2.4.3
}

siginfo_t ring_info() noexcept {
  siginfo_t info{};
  info.si_signo = SIGPP_DOORBELL_SIGNAL;
  return info;
}

// pthread_kill has no field of ours: every doorbell signal is a ring, and signal() refuses the
// number.
arrival kind_of_doorbell(const siginfo_t&) noexcept { return arrival::ring; }

bool raised_by_instruction(const siginfo_t& info) noexcept {
  switch (info.si_signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
      // POSIX.1-2017 2.4.3: codes of senders are SI_USER to SI_MESGQ, or not positive.
      return info.si_code > 0 && info.si_code != SI_USER && info.si_code != SI_QUEUE &&
             info.si_code != SI_TIMER && info.si_code != SI_ASYNCIO && info.si_code != SI_MESGQ;
    default:
      return false;
  }
}

const void* program_counter(const void*) noexcept { return nullptr; }

const char timer_mark = 0;
const char grace_mark = 0;
const char nag_mark = 0;

void start_grace(void*, std::int64_t) noexcept {}  // there is no such timer: see shutdown.cpp
void start_nag(void*, std::int64_t) noexcept {}    // nor this one

void vouch_for_stack(const void*) noexcept {}

bool leave_call(void*) noexcept { return true; }  // there is no such call here

sigset_t& interrupted_mask(void* context) noexcept {
  return static_cast<ucontext_t*>(context)->uc_sigmask;
}

// sigismember: POSIX.1-2017 2.4.3
bool is_same(const sigset_t& a, const sigset_t& b) noexcept {
  for (int n = 1; n < NSIG; ++n) {
    if (sigismember(&a, n) != sigismember(&b, n)) return false;
  }
  return true;
}

void send_again(const siginfo_t& info) noexcept {
  kill(getpid(), info.si_signo);  // kill, getpid: POSIX.1-2017 2.4.3
}

bool send_again_to_this_thread(const siginfo_t& info) noexcept {
  return pthread_kill(pthread_self(), info.si_signo) == 0;
}

int set_action(int signum, const struct sigaction* action, struct sigaction* old) noexcept {
  return sigaction(signum, action, old);  // sigaction: POSIX.1-2017 2.4.3
}

// POSIX has no async-signal-safe way: ignored, as CPython does, if nobody has said otherwise.
void take_back_sigpipe() noexcept {
  struct sigaction action {};
  sigaction(SIGPIPE, nullptr, &action);
  if ((action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler != SIG_DFL) return;
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

std::int64_t now() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);  // clock_gettime: POSIX.1-2017 2.4.3
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace sigpp::inline v1::in_handler::os
