// exit, also from inside a handler; run() and the death by SIGINT.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using support::describe_status;
using support::exited;
using support::killed_by;

// Runs `f` in a child that may end by exit(), with what it prints on standard output.
struct outcome {
  std::string status;
  std::string output;
};

template <class F>
outcome outcome_of(F f) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    f();
    std::exit(99);
  }
  close(ends[1]);
  outcome result;
  char buffer[256];
  for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    result.output.append(buffer, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  result.status = describe_status(status);
  return result;
}

TEST(end, exit_from_a_handler_ends_the_process_and_dispatches_nothing_more) {
  const outcome result = outcome_of([] {
    sigpp::signal(SIGUSR2, [] { std::printf("usr2 "); });
    sigpp::signal(SIGUSR1, [] {
      std::printf("usr1 ");
      ::raise(SIGUSR2);
      std::exit(3);
    });
    std::atexit([] {
      sigpp::check();
      std::printf("end");
    });
    sigpp::raise_signal(SIGUSR1);
  });
  EXPECT_EQ(result.output, "usr1 end");
  EXPECT_EQ(result.status, exited(3));
}

TEST(end, nothing_is_dispatched_in_atexit) {
  const outcome result = outcome_of([] {
    sigpp::signal(SIGCHLD, [] { std::printf("dispatched "); });
    std::atexit([] {
      ::raise(SIGCHLD);
      sigpp::check();
      sigpp::sleep_for(std::chrono::milliseconds(1));
      std::printf("end");
    });
    ::raise(SIGCHLD);
    std::exit(0);
  });
  EXPECT_EQ(result.output, "end");
  EXPECT_EQ(result.status, exited(0));
}

TEST(end, fatal_signals_take_their_default_action_once_exit_has_begun) {
  // Whoever calls exit, and in whatever order functions were given to atexit.
  for (const bool on_a_thread : {false, true}) {
    const outcome result = outcome_of([on_a_thread] {
      if (on_a_thread) std::atexit([] { ::kill(getpid(), SIGTERM); });
      sigpp::signal(SIGTERM, [] { std::printf("dispatched"); });
      if (!on_a_thread) std::atexit([] { ::kill(getpid(), SIGTERM); });
      sigpp::check();
      if (on_a_thread) {
        std::thread([] { std::exit(0); }).join();
      } else {
        std::exit(0);
      }
    });
    EXPECT_EQ(result.output, "");
    EXPECT_EQ(result.status, killed_by(SIGTERM)) << on_a_thread;
  }
}

TEST(end, an_ignored_signal_stays_ignored_to_the_end) {
  const outcome result = outcome_of([] {
    sigpp::signal(SIGTERM, SIG_IGN);
    std::atexit([] { ::raise(SIGTERM); });
    std::exit(4);
  });
  EXPECT_EQ(result.status, exited(4));
}

struct prints_when_destroyed {
  ~prints_when_destroyed() { std::printf("captured-destroyed "); }
};

TEST(end, the_running_handler_and_its_captures_outlive_exit) {
  const outcome result = outcome_of([] {
    sigpp::signal(SIGUSR1, [held = std::make_shared<prints_when_destroyed>()] {
      static const struct at_end {
        ~at_end() { std::printf("static-destroyed "); }
      } object;
      (void)object;
      std::exit(5);
    });
    sigpp::raise_signal(SIGUSR1);
  });
  EXPECT_EQ(result.output, "static-destroyed ");
  EXPECT_EQ(result.status, exited(5));
}

// ---- run
// -----------------------------------------------------------------------------------------

TEST(run, returns_what_the_function_returns) {
  EXPECT_EQ(sigpp::run([] {}), 0);
  EXPECT_EQ(sigpp::run([] { return 7; }), 7);
  EXPECT_EQ(sigpp::getsignal(SIGINT), SIG_DFL) << "given back";
}

TEST(run, turns_ctrl_c_into_an_exception) {
  bool unwound = false;
  sigpp::run([&] {
    EXPECT_EQ(sigpp::getsignal(SIGINT), sigpp::default_int_handler);
    try {
      ::kill(getpid(), SIGINT);
      sigpp::sleep_for(std::chrono::hours(1));
    } catch (const sigpp::keyboard_interrupt&) {
      unwound = true;
    }
  });
  EXPECT_TRUE(unwound);
}

TEST(run, code_that_recovers_from_errors_does_not_swallow_it) {
  bool swallowed = false;
  EXPECT_EQ(describe_status(support::status_of([&] {
              return sigpp::run([&] {
                try {
                  sigpp::raise_signal(SIGINT);
                } catch (const std::exception&) {
                  swallowed = true;
                }
              });
            })),
            exited(128 + SIGINT));  // status_of ends by _exit, which runs nothing
  EXPECT_FALSE(swallowed);
}

TEST(run, an_uncaught_ctrl_c_cleans_up_and_dies_by_sigint) {
  const outcome result = outcome_of([] {
    static const struct at_end {
      ~at_end() { std::printf("static "); }
    } object;
    (void)object;
    std::atexit([] { std::printf("atexit "); });
    const int code = sigpp::run([] {
      const struct local {
        ~local() { std::printf("local "); }
      } guard;
      (void)guard;
      ::raise(SIGINT);
      sigpp::check();
    });
    std::exit(code);
  });
  EXPECT_EQ(result.output, "local atexit static ") << "and standard output was flushed";
  EXPECT_EQ(result.status, killed_by(SIGINT));
}

TEST(run, dies_by_sigint_even_if_it_is_blocked) {
  const outcome result = outcome_of([] {
    const int code = sigpp::run([] { sigpp::raise_signal(SIGINT); });
    const sigset_t mask = sigpp::signal_set{SIGINT}.native();
    sigprocmask(SIG_BLOCK, &mask, nullptr);
    std::exit(code);
  });
  EXPECT_EQ(result.status, killed_by(SIGINT));
}

TEST(run, leaves_an_ignored_sigint_alone) {
  ::signal(SIGINT, SIG_IGN);  // as under nohup, or in the background of a shell
  EXPECT_EQ(sigpp::run([] {
              ::raise(SIGINT);
              sigpp::check();
              return 5;
            }),
            5);
  EXPECT_EQ(sigpp::getsignal(SIGINT), SIG_IGN);
}

TEST(run, leaves_a_handler_of_the_program_alone) {
  int calls = 0;
  sigpp::signal(SIGINT, [&] { ++calls; });
  sigpp::run([] { sigpp::raise_signal(SIGINT); });
  EXPECT_EQ(calls, 1);
}

TEST(run, lets_other_exceptions_through) {
  EXPECT_THROW(sigpp::run([] { throw std::runtime_error("not ours"); }), std::runtime_error);
  EXPECT_EQ(sigpp::getsignal(SIGINT), SIG_DFL);
}

TEST(run, the_default_handler_is_a_handler_like_any) {
  sigpp::signal(SIGUSR1, sigpp::default_int_handler);
  EXPECT_THROW(sigpp::raise_signal(SIGUSR1), sigpp::keyboard_interrupt);
  EXPECT_THROW(sigpp::getsignal(SIGUSR1)(SIGUSR1), sigpp::keyboard_interrupt);
}

TEST(run, a_child_that_is_forked_later_does_not_die_by_it) {
  const outcome result = outcome_of([] {
    const int code = sigpp::run([] { sigpp::raise_signal(SIGINT); });
    const pid_t child = fork();
    if (child == 0) std::exit(7);
    int status = 0;
    waitpid(child, &status, 0);
    std::printf("%s", describe_status(status).c_str());
    std::exit(code);
  });
  EXPECT_EQ(result.output, exited(7));
  EXPECT_EQ(result.status, killed_by(SIGINT));
}

TEST(run, a_second_one_starts_afresh) {
  const outcome result = outcome_of([] {
    EXPECT_EQ(sigpp::run([] { sigpp::raise_signal(SIGINT); }), 130);
    std::exit(sigpp::run([] { return 6; }));
  });
  EXPECT_EQ(result.status, exited(6));
}

}  // namespace
