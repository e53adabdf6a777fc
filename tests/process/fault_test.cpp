// Faults cannot be deferred: the instruction would only be executed again, for ever.
#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using support::describe_status;
using support::killed_by;
using support::status_of;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;  // the sanitizer's own handler is the one that was there before
#else
constexpr bool sanitized = false;
#endif

void segfault() {
  void* const page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *static_cast<volatile char*>(page) = 1;
}

[[gnu::noinline]] void illegal_instruction() {
#if defined(__x86_64__) || defined(__i386__)
  asm volatile("ud2");
#else
  __builtin_trap();
#endif
}

TEST(fault, a_sent_one_is_handled_like_any_signal) {
  for (int n : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) {
    int calls = 0;
    sigpp::signal(n, [&] { ++calls; });
    sigpp::raise_signal(n);
    sigpp::kill(getpid(), n);
    EXPECT_EQ(calls, 2) << sigpp::signal_name(n);
    sigpp::signal(n, SIG_DFL);
  }
}

TEST(fault, a_real_one_is_reported_and_kills) {
  if (sanitized) GTEST_SKIP() << "goes to the sanitizer's handler, as it should";
  EXPECT_EXIT(
      {
        sigpp::signal(SIGSEGV, [] { _exit(0); });
        segfault();
      },
      testing::KilledBySignal(SIGSEGV),
      "SIGSEGV raised by the instruction at 0x[0-9a-f]+, address");
  EXPECT_EXIT(
      {
        sigpp::signal(SIGILL, [] { _exit(0); });
        illegal_instruction();
      },
      testing::KilledBySignal(SIGILL), "SIGILL raised by the instruction");
}

TEST(fault, one_without_a_handler_of_ours_is_none_of_our_business) {
  if (sanitized) GTEST_SKIP();
  EXPECT_EXIT(
      {
        sigpp::signal(SIGUSR1, [] {});
        segfault();
      },
      testing::KilledBySignal(SIGSEGV), "^$");
}

TEST(fault, ignoring_does_not_help) {
  if (sanitized) GTEST_SKIP();
  EXPECT_EQ(describe_status(status_of([] {
              sigpp::signal(SIGSEGV, SIG_IGN);
              sigpp::signal(SIGSEGV, [] {});
              segfault();
              return 0;
            })),
            killed_by(SIGSEGV));
}

sigjmp_buf escape;
volatile sig_atomic_t mask_was_honoured;

void earlier(int signum, siginfo_t* info, void*) {
  sigset_t mask;
  sigprocmask(SIG_SETMASK, nullptr, &mask);
  mask_was_honoured = sigismember(&mask, SIGUSR2) == 1 && sigismember(&mask, SIGUSR1) == 0 &&
                      sigismember(&mask, signum) == 1 && info->si_code > 0;
  siglongjmp(escape, 1);
}

TEST(fault, the_handler_that_was_there_before_gets_a_real_one_with_its_own_mask) {
  SKIP_UNDER_TSAN();
  struct sigaction action {};
  action.sa_sigaction = earlier;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGUSR2);
  sigaction(SIGSEGV, &action, nullptr);
  sigpp::signal(SIGSEGV, [] { ADD_FAILURE() << "for sent ones only"; });
  for (int i = 0; i < 2; ++i) {
    mask_was_honoured = 0;
    if (sigsetjmp(escape, 1) == 0) {
      segfault();
      FAIL();
    }
    EXPECT_EQ(mask_was_honoured, 1);
  }
}

TEST(fault, a_one_shot_handler_from_before_is_called_once) {
  if (sanitized) GTEST_SKIP();
  EXPECT_EXIT(
      {
        struct sigaction action {};
        action.sa_sigaction = earlier;
        action.sa_flags = SA_SIGINFO | static_cast<int>(SA_RESETHAND);
        sigemptyset(&action.sa_mask);
        sigaction(SIGSEGV, &action, nullptr);
        sigpp::signal(SIGSEGV, [] {});
        if (sigsetjmp(escape, 1) == 1) write(STDERR_FILENO, "once ", 5);
        segfault();
      },
      testing::KilledBySignal(SIGSEGV), "once sigpp: SIGSEGV");
}

TEST(fault, on_a_thread_kills_as_well) {
  if (sanitized) GTEST_SKIP();
  EXPECT_EQ(describe_status(status_of([] {
              sigpp::signal(SIGSEGV, [] {});
              pthread_t thread;
              pthread_create(
                  &thread, nullptr,
                  [](void*) -> void* {
                    segfault();
                    return nullptr;
                  },
                  nullptr);
              pthread_join(thread, nullptr);
              return 0;
            })),
            killed_by(SIGSEGV));
}

TEST(fault, abort_is_never_held_up) {
  EXPECT_EQ(describe_status(status_of([] {
              sigpp::signal(SIGABRT, [] { _exit(0); });
              std::abort();
              return 0;
            })),
            killed_by(SIGABRT));
}

TEST(fault, sigabrt_that_is_sent_is_handled) {
  int calls = 0;
  sigpp::signal(SIGABRT, [&] { ++calls; });
  sigpp::kill(getpid(), SIGABRT);
  EXPECT_EQ(calls, 1);
}

}  // namespace
