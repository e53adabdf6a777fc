// The stub is not used where handlers come late, or work on a copy of the context: then moving the
// program counter does nothing. ThreadSanitizer's wrapper of sigaction does both; here is one, in
// the C library's place.
#include <gtest/gtest.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <span>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "blocking/calls.hpp"
#include "support/support.hpp"
#include "support/worker.hpp"

// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" int __sigaction(int, const struct sigaction*, struct sigaction*) noexcept;

namespace {

enum class handlers { as_usual, of_a_copy, never };
constinit std::atomic<handlers> wrapped{handlers::as_usual};
constinit std::array<void (*)(int, siginfo_t*, void*), NSIG> wanted{};

void wrapper(int signum, siginfo_t* info, void* context) {
  ucontext_t copy = *static_cast<ucontext_t*>(context);
  if (wrapped == handlers::never) return;
  wanted[static_cast<std::size_t>(signum)](
      signum, info, wrapped == handlers::as_usual ? context : static_cast<void*>(&copy));
}

}  // namespace

extern "C" int sigaction(int signum, const struct sigaction* action,
                         struct sigaction* old) noexcept {
  auto& of_this_one = wanted[static_cast<std::size_t>(signum)];
  auto* const before = of_this_one;
  struct sigaction changed {};
  if (action != nullptr) {
    changed = *action;
    if ((action->sa_flags & SA_SIGINFO) != 0) {
      of_this_one = action->sa_sigaction;
      changed.sa_sigaction = wrapper;
    }
  }
  const int result = __sigaction(signum, action != nullptr ? &changed : nullptr, old);
  if (old != nullptr && old->sa_sigaction == wrapper) old->sa_sigaction = before;
  return result;
}

namespace {

using support::wait_until;
using support::wait_until_it_sleeps;

constexpr bool there_is_a_stub = SIGPP_CALL_STUB != 0;

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  return ends;
}

std::size_t read_byte(int fd) {
  std::byte byte{};
  return sigpp::read(fd, {&byte, 1});
}

void expect_that_calls_are_interrupted() {
  const auto ends = make_pipe();
  sigpp::signal(SIGUSR1, [] { throw 1; });
  std::thread other([&] {
    wait_until_it_sleeps(getpid());
    ::kill(getpid(), SIGUSR1);
  });
  EXPECT_THROW(read_byte(ends[0]), int);
  other.join();
}

TEST(stub_trust, it_is_used_where_handlers_come_at_once) {
  expect_that_calls_are_interrupted();
  EXPECT_EQ(sigpp::blocking::by_the_stub(), there_is_a_stub);
}

TEST(stub_trust, it_is_not_where_they_get_a_copy_of_the_context) {
  SKIP_UNDER_TSAN();
  wrapped = handlers::of_a_copy;
  EXPECT_FALSE(sigpp::blocking::by_the_stub());
  expect_that_calls_are_interrupted();
}

TEST(stub_trust, it_is_not_where_they_do_not_come) {
  SKIP_UNDER_TSAN();
  wrapped = handlers::never;
  EXPECT_FALSE(sigpp::blocking::by_the_stub());
}

// Its first call is the first of the process.
TEST(stub_trust, a_thread_that_blocks_every_signal_finds_out_too) {
  SKIP_UNDER_TSAN();
  const auto ends = make_pipe();
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  wrapped = handlers::of_a_copy;
  std::thread([&] {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    EXPECT_EQ(read_byte(ends[0]), 1U);
    EXPECT_FALSE(sigpp::blocking::by_the_stub());
    ::pthread_sigmask(SIG_SETMASK, nullptr, &all);
    EXPECT_EQ(sigismember(&all, SIGPP_TEST_DOORBELL), 1) << "as it was";
  }).join();
}

}  // namespace
