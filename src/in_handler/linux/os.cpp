// Linux: threads by kernel id, a doorbell that carries its own si_code, siginfo sent again as it
// was.
#include "in_handler/os.hpp"
#include "in_handler/call.hpp"
#include "in_handler/mailbox.hpp"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>

// NOLINTNEXTLINE(*-reserved-identifier,readability-identifier-naming): the sanitizer's name
extern "C" [[gnu::weak]] void __msan_unpoison(const volatile void*, std::size_t);

// NOLINTNEXTLINE(*-reserved-identifier,readability-identifier-naming): the C library's name
extern "C" [[gnu::weak]] int __sigaction(int, const struct sigaction*, struct sigaction*) noexcept;

namespace sigpp::inline v1::in_handler::os {

namespace {

// Negative: only such codes may be sent to another thread (rt_tgsigqueueinfo(2)). Not one of the
// kernel's.
constexpr int doorbell_code = -0x5167;

constexpr long kernel_sigset_size = _NSIG / 8;

// The kernel's queue was full: a standard signal is delivered all the same, with nothing in its
// siginfo (kernel/signal.c, TRACE_SIGNAL_LOSE_INFO).
bool lost_its_origin(const siginfo_t& info) noexcept {
  return info.si_code == SI_USER && info.si_pid == 0;
}

// A sandbox has refused rt_tgsigqueueinfo: rings look like signals of the program's own.
constinit std::atomic<unsigned> rings_are_plain{0};

// syscall: glibc manual 26.6, "AS-Safe". getpid: POSIX.1-2017 2.4.3.
bool queue_to_thread(thread_id thread, const siginfo_t& info) noexcept {
  return syscall(SYS_rt_tgsigqueueinfo, getpid(), static_cast<pid_t>(thread), info.si_signo,
                 &info) == 0;
}

}  // namespace

// gettid(2): takes nothing, changes nothing; by syscall, which is AS-safe.
thread_id current_thread() noexcept { return static_cast<thread_id>(syscall(SYS_gettid)); }

pid_t kernel_id(thread_id thread) noexcept { return static_cast<pid_t>(thread); }

siginfo_t ring_info() noexcept {
  siginfo_t info{};
  info.si_signo = SIGPP_DOORBELL_SIGNAL;
  info.si_code = doorbell_code;
  return info;
}

void ring(thread_id thread) noexcept {
  const siginfo_t info = ring_info();
  if (queue_to_thread(thread, info) || errno == ESRCH) return;
  rings_are_plain.store(1);
  syscall(SYS_tgkill, getpid(), static_cast<pid_t>(thread), SIGPP_DOORBELL_SIGNAL);
}

const char timer_mark = 0;
const char grace_mark = 0;
const char nag_mark = 0;

namespace {

void start(void* timer, std::int64_t nanoseconds) noexcept {
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(nanoseconds / 1'000'000'000);
  spec.it_value.tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000);
  // timer_settime: POSIX.1-2017 2.4.3
  timer_settime(*static_cast<timer_t*>(timer), 0, &spec, nullptr);
}

}  // namespace

void start_grace(void* timer, std::int64_t nanoseconds) noexcept { start(timer, nanoseconds); }
void start_nag(void* timer, std::int64_t nanoseconds) noexcept { start(timer, nanoseconds); }

arrival kind_of_doorbell(const siginfo_t& info) noexcept {
  if (info.si_code == doorbell_code) return arrival::ring;
  if (info.si_code == SI_TIMER && info.si_value.sival_ptr == &timer_mark) return arrival::ring;
  if (info.si_code == SI_TIMER && info.si_value.sival_ptr == &grace_mark) {
    return arrival::end_of_grace;
  }
  if (info.si_code == SI_TIMER && info.si_value.sival_ptr == &nag_mark) return arrival::nag;
  const bool plain = rings_are_plain.load() != 0 && info.si_code == SI_TKILL;
  return plain || lost_its_origin(info) ? arrival::either : arrival::users;
}

bool raised_by_instruction(const siginfo_t& info) noexcept {
  switch (info.si_signo) {
    case SIGBUS:
      if (info.si_code == BUS_MCEERR_AO) return false;  // a warning about memory, not an access
      [[fallthrough]];
    case SIGSEGV:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
      return info.si_code > 0;  // sigaction(2): codes of senders are <= 0
    default:
      return false;
  }
}

const void* program_counter(const void* context) noexcept {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return reinterpret_cast<const void*>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return reinterpret_cast<const void*>(machine.pc);
#elif defined(__riscv)
  return reinterpret_cast<const void*>(machine.__gregs[REG_PC]);
#else
  static_cast<void>(machine);
  return nullptr;
#endif
}

void vouch_for_stack(const void* frame) noexcept {
  constexpr std::size_t more_than_is_used = std::size_t{16} * 1024;
  if (&__msan_unpoison == nullptr) return;
  __msan_unpoison(static_cast<const char*>(frame) - more_than_is_used, more_than_is_used);
}

bool leave_call(void* context) noexcept {
#if SIGPP_CALL_STUB
  const auto at = reinterpret_cast<std::uintptr_t>(program_counter(context));
  const auto is_before = [at](const char* place) {
    return at < reinterpret_cast<std::uintptr_t>(place);
  };
  const auto is_in = [&](const char* first, const char* last) {
    return !is_before(first) && is_before(last);
  };
  const bool is_short = is_in(reinterpret_cast<const char*>(&sigpp_short_call), sigpp_short_last);
  if (!is_short && !is_in(reinterpret_cast<const char*>(&sigpp_call), sigpp_call_last)) {
    return false;
  }
  if (!is_in(sigpp_call_begin, sigpp_call_end) && !is_in(sigpp_short_begin, sigpp_short_end)) {
    return true;
  }
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  const auto exit = reinterpret_cast<std::uintptr_t>(is_short ? sigpp_short_exit : sigpp_call_exit);
#if defined(__x86_64__)
  machine.gregs[REG_RIP] = static_cast<greg_t>(exit);
#elif defined(__aarch64__)
  machine.pc = exit;
#elif defined(__riscv)
  machine.__gregs[REG_PC] = exit;
#endif
#else
  static_cast<void>(context);
#endif
  return true;
}

sigset_t& interrupted_mask(void* context) noexcept {
  return static_cast<ucontext_t*>(context)->uc_sigmask;
}

// The kernel's set: sigprocmask(2), "C library/kernel differences"; a bit for each signal.
bool is_same(const sigset_t& a, const sigset_t& b) noexcept {
  std::uint64_t all_a = 0;
  std::uint64_t all_b = 0;
  copy_words(&all_a, &a, sizeof all_a);
  copy_words(&all_b, &b, sizeof all_b);
  return all_a == all_b;
}

void send_again(const siginfo_t& info) noexcept {
  // rt_sigqueueinfo(2), kernel/signal.c: codes >= 0 are for the main thread to send, or to oneself.
  if (syscall(SYS_rt_sigqueueinfo, getpid(), info.si_signo, &info) == 0) return;
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr,
                  &mask);  // pthread_sigmask, sigismember, kill: POSIX.1-2017 2.4.3
  if (errno == EPERM && sigismember(&mask, info.si_signo) == 0 && send_again_to_this_thread(info)) {
    return;
  }
  kill(getpid(), info.si_signo);  // cannot fail for want of room; its siginfo is lost
}

bool send_again_to_this_thread(const siginfo_t& info) noexcept {
  const thread_id self = current_thread();
  if (queue_to_thread(self, info)) return true;
  return errno != EAGAIN &&
         syscall(SYS_tgkill, getpid(), static_cast<pid_t>(self), info.si_signo) == 0;
}

// sigaction: POSIX.1-2017 2.4.3; __sigaction: the same function of the C library.
int set_action(int signum, const struct sigaction* action, struct sigaction* old) noexcept {
  if (&__sigaction != nullptr) return __sigaction(signum, action, old);
  return sigaction(signum, action, old);
}

void take_back_sigpipe() noexcept {
  sigset_t pipe;
  sigemptyset(&pipe);  // sigemptyset, sigaddset: POSIX.1-2017 2.4.3
  sigaddset(&pipe, SIGPIPE);
  const timespec none{};
  syscall(SYS_rt_sigtimedwait, &pipe, nullptr, &none, kernel_sigset_size);  // by syscall: AS-safe
}

std::int64_t now() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);  // clock_gettime: POSIX.1-2017 2.4.3
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace sigpp::inline v1::in_handler::os
