// Negative controls of the single-step tests: usual ways to do it, each of which loses something at
// some instruction, and the same tracer finds it. See single_step_test.cpp.
#include <gtest/gtest.h>

#if defined(__linux__) && defined(__x86_64__)

#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>

#include <sigpp/sigpp.hpp>

#include "race/single_step_scenes.hpp"

namespace tracing {
namespace {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(single_step);

volatile sig_atomic_t seen = 0;
volatile sig_atomic_t armed = 0;
sigjmp_buf before_the_call;

void note_signal(int) {
  seen = 1;
  ++shared_board().handled;
}

void throw_if_seen() {
  if (seen == 0) return;
  seen = 0;
  throw woken{};
}

count try_control(const char* name, kind what, act (*prepare)(bool),
                  injection with = injection::signal) {
  return try_all(make_scene(name, what, prepare, with), 100ms, 1000);
}

bool tells(const count& counts, int ended) {
  return counts.first.find(text_of(ended)) != std::string::npos;
}

// ---- look at a flag, then read -----------------------------------------------------------------

act naive_act(bool) {
  handle_plainly(SIGUSR1, note_signal);
  const two_ends ends = make_ready_pipe(true);
  buffer to{};
  static_cast<void>(!::read(ends.in, to.data(), 1));
  return {.run = [=] {
    buffer got{};
    ssize_t bytes = -1;
    if (seen == 0) bytes = ::read(ends.in, got.data(), 1);
    throw_if_seen();
    return bytes == 1;
  }};
}

TEST(single_step_control, looking_and_then_reading_sleeps_through_some) {
  const count counts = try_control("naive", kind::blocks, naive_act);
  EXPECT_GT(counts.hung, 0);
  EXPECT_GT(counts.thrown, 0);
  EXPECT_EQ(counts.wrong, 0) << counts.first;
}

// ---- jump out of the handler -------------------------------------------------------------------

act siglongjmp_act(bool) {
  handle_plainly(SIGUSR1, [](int) {
    note_signal(SIGUSR1);
    if (armed != 0) siglongjmp(before_the_call, 1);
  });
  const two_ends ends = make_ready_pipe(true);
  buffer to{};
  static_cast<void>(!::read(ends.in, to.data(), 1));
  static_cast<void>(!::write(ends.out, "b", 1));
  static_cast<void>(sigsetjmp(before_the_call, 1));
  return {.run =
              [=] {
                volatile bool right = false;
                if (sigsetjmp(before_the_call, 1) == 0) {
                  armed = 1;
                  buffer got{};
                  right = seen == 0 && ::read(ends.in, got.data(), 1) == 1;
                  armed = 0;
                  if (right) return true;
                }
                armed = 0;
                throw_if_seen();
                return false;
              },
          .untouched = [=] { return bytes_in(ends.in) == 1; },
          .later = throw_if_seen};
}

TEST(single_step_control, a_jump_out_of_the_handler_loses_bytes) {
  const count counts = try_control("siglongjmp", kind::completes, siglongjmp_act);
  EXPECT_GT(counts.wrong, 0);
  EXPECT_TRUE(tells(counts, lost_result)) << counts.first;
  EXPECT_EQ(counts.hung, 0);
}

// ---- the stub without its marker ---------------------------------------------------------------

// As sigpp_call: a flag to look at, and a descriptor, a buffer and a length for read.
extern "C" long unmarked_read(const volatile sig_atomic_t* flag, int fd, char* to, long bytes);
extern "C" const char unmarked_begin[];
extern "C" const char unmarked_end[];
extern "C" const char unmarked_exit[];
__asm__(R"(
        .text
unmarked_read:
        movq    %rdi, %r8
        movl    %esi, %edi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        xorl    %eax, %eax
unmarked_begin:
        cmpl    $0, (%r8)
        jne     unmarked_exit
        syscall
unmarked_end:
        ret
unmarked_exit:
        movq    $-4, %rax
        ret
)");

// It knows no call that a handler of other code has interrupted before.
void leave_the_call(int, siginfo_t*, void* context) {
  note_signal(SIGUSR1);
  auto& at = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
  const auto address = [](const char* label) { return reinterpret_cast<greg_t>(label); };
  if (at >= address(unmarked_begin) && at < address(unmarked_end)) at = address(unmarked_exit);
}

act unmarked_act(bool) {
  handle_plainly(
      SIGHUP, [](int) {}, SA_RESTART);
  struct sigaction action {};
  action.sa_sigaction = leave_the_call;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);
  const two_ends ends = make_ready_pipe(false);
  return {.run = [=] {
    buffer got{};
    const long bytes = unmarked_read(&seen, ends.in, got.data(), 1);
    throw_if_seen();
    return bytes == 1;
  }};
}

TEST(single_step_control, a_stub_without_marker_sleeps_through_a_nested_handler) {
  const count counts =
      try_control("unmarked", kind::blocks, unmarked_act, injection::signal_and_foreign);
  EXPECT_GT(counts.hung, 0);
  EXPECT_EQ(counts.wrong, 0) << counts.first;
}

TEST(single_step_control, and_through_none_alone) {
  const count counts = try_control("unmarked_alone", kind::blocks, unmarked_act);
  EXPECT_EQ(counts.hung + counts.wrong, 0) << counts.first;
}

// ---- a timeout that is disarmed when it is over ------------------------------------------------

act naive_timeout_act(bool) {
  handle_plainly(SIGALRM, [](int) { seen = 1; });
  const auto arm = [](std::chrono::microseconds left) {
    itimerval timer{};
    timer.it_value = {.tv_sec = left.count() / 1'000'000, .tv_usec = left.count() % 1'000'000};
    setitimer(ITIMER_REAL, &timer, nullptr);
  };
  arm(0us);
  shared_board().deadline = steady_clock::now() + time_to_deadline;
  return {.run =
              [=] {
                const auto left = shared_board().deadline.load() - steady_clock::now();
                arm(std::max(std::chrono::duration_cast<std::chrono::microseconds>(left), 1us));
                const bool over = seen != 0;
                arm(0us);
                if (over) seen = 0;
                return true;
              },
          .later =
              [] {
                if (seen != 0) throw sigpp::timed_out(0);
              }};
}

TEST(single_step_control, a_timeout_disarmed_after_it_is_over_hits_later_code) {
  const count counts =
      try_control("naive_timeout", kind::completes, naive_timeout_act, injection::time);
  EXPECT_GT(counts.wrong, 0);
  EXPECT_TRUE(tells(counts, hit_later)) << counts.first;
}

// ---- dispatch: look, handle, forget ------------------------------------------------------------

void naive_dispatch() {
  if (seen == 0) return;
  shared_board().handled = 1;  // what came first
  seen = 0;                    // and what came meanwhile
}

act naive_dispatch_act(bool) {
  handle_plainly(SIGUSR1, [](int) {
    static int arrivals = 0;
    seen = seen + 1;
    if (++arrivals == 2) shared_board().handled = 0;  // the last one is to be handled
  });
  ::raise(SIGUSR1);
  return {.run =
              [] {
                naive_dispatch();
                return true;
              },
          .later =
              [told = false]() mutable {
                naive_dispatch();
                if (shared_board().handled == 1 && !told) {
                  told = true;
                  throw woken{};
                }
              }};
}

TEST(single_step_control, a_dispatch_that_forgets_at_the_end_loses_an_arrival) {
  const count counts = try_control("naive_dispatch", kind::completes, naive_dispatch_act);
  EXPECT_GT(counts.wrong, 0);
  EXPECT_TRUE(tells(counts, not_handled)) << counts.first;
}

// ---- registration: give back, and forget what is pending ----------------------------------------

act naive_leaving_act(bool) {
  count_plainly(SIGUSR1);
  struct sigaction before {};
  sigaction(SIGUSR1, nullptr, &before);
  handle_plainly(SIGUSR1, [](int) { seen = 1; });
  return {.run =
              [=] {
                seen = 0;
                sigaction(SIGUSR1, &before, nullptr);
                return true;
              },
          .later =
              [told = false]() mutable {
                if (shared_board().handled == 1 && !told) {
                  told = true;
                  throw woken{};
                }
              }};
}

TEST(single_step_control, leaving_without_asking_what_is_pending_loses_it) {
  const count counts = try_control("naive_leaving", kind::completes, naive_leaving_act);
  EXPECT_GT(counts.wrong, 0);
  EXPECT_TRUE(tells(counts, not_handled)) << counts.first;
}

// ---- fork: the child looks at its parent's flag ------------------------------------------------

act naive_fork_act(bool) {
  handle_plainly(SIGUSR1, note_signal);
  static int status = 0;
  return {.run =
              [] {
                const pid_t child = ::fork();
                if (child == 0) _exit(seen == 0 ? 5 : 6);
                ::waitpid(child, &status, 0);
                return true;
              },
          .untouched = [] { return true; },
          .later =
              [] {
                if (WEXITSTATUS(status) != 5) throw sigpp::timed_out(0);
                throw_if_seen();
              }};
}

TEST(single_step_control, a_flag_is_inherited_by_a_forked_child) {
  const count counts = try_control("naive_fork", kind::completes, naive_fork_act);
  EXPECT_GT(counts.wrong, 0);
  EXPECT_TRUE(tells(counts, hit_later)) << counts.first;
}

// ---- a queue that drops when it is full ---------------------------------------------------------

act naive_queue_act(bool) {
  handle_plainly(SIGRTMIN, [](int) {
    if (seen < 1) seen = seen + 1;
  });
  ::raise(SIGRTMIN);
  return {.run =
              [] {
                shared_board().handled += seen;
                seen = 0;
                return true;
              },
          .later =
              [] {
                shared_board().handled += seen;
                seen = 0;
                if (shared_board().handled != 2) return;
                shared_board().handled = 1;
                throw woken{};
              }};
}

TEST(single_step_control, a_queue_that_drops_when_full_loses_some) {
  const count counts =
      try_control("naive_queue", kind::completes, naive_queue_act, injection::queued_signal);
  EXPECT_GT(counts.wrong, 0);
  EXPECT_TRUE(tells(counts, not_handled)) << counts.first;
}

}  // namespace
}  // namespace tracing

#else

TEST(single_step_control, needs_linux_on_x86_64) { GTEST_SKIP(); }

#endif
