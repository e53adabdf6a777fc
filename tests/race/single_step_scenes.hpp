// What the scenes of the single-step tests share, and the test that plays them.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "race/single_step_tracer.hpp"

namespace tracing {

inline void throw_on_signal() {
  sigpp::signal(SIGUSR1, [] {
    ++shared_board().handled;
    throw woken{};
  });
}

// A handler of other code: not deferred.
inline void handle_plainly(int signum, void (*handler)(int), int flags = 0) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  sigaction(signum, &action, nullptr);
}

inline void count_plainly(int signum) {
  handle_plainly(signum, [](int) { ++shared_board().handled; });
}

struct two_ends {
  int in = -1;
  int out = -1;
};

inline two_ends make_pipe() {
  int ends[2];
  checked(pipe2(ends, O_CLOEXEC), "pipe");
  return {ends[0], ends[1]};
}

inline two_ends make_sockets() {
  int ends[2];
  checked(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
  return {ends[0], ends[1]};
}

inline two_ends make_ready_pipe(bool ready) {
  const two_ends ends = make_pipe();
  if (ready) checked(static_cast<int>(::write(ends.out, "a", 1)), "write");
  return ends;
}

inline int bytes_in(int fd) {
  int bytes = -1;
  ioctl(fd, FIONREAD, &bytes);
  return bytes;
}

using buffer = std::array<char, 1>;

// Does `f` in a child, which ends as this process does.
inline pid_t fork_helper(const std::function<void()>& f) {
  const pid_t parent = getpid();
  const pid_t child = checked(fork(), "fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);  // it has ended before
    f();
    _exit(5);
  }
  return child;
}

// Whatever was to end in time does not come now.
inline void later_code() {
  const two_ends ends = make_ready_pipe(true);
  buffer got{};
  sigpp::check();
  sigpp::read(ends.in, got);
  sigpp::sleep_for(2ms);
  sigpp::check();
}

// ---- lists of them -----------------------------------------------------------------------------

using prepare_function = std::function<act(bool completes)>;

inline scene make_scene(const std::string& name, kind what, const prepare_function& prepare,
                        injection with = injection::signal, int most_steps = 200'000) {
  return {.name = name + (what == kind::blocks ? "_blocks" : "_completes"),
          .what = what,
          .prepare = [=] { return prepare(what == kind::completes); },
          .with = with,
          .most_steps = most_steps};
}

class scenes {
 public:
  void both(const std::string& name, const prepare_function& prepare,
            injection with = injection::signal) {
    blocks(name, prepare, with);
    completes(name, prepare, with);
  }
  // A handler of other code, with SA_RESTART, interrupts it, and sigpp's interrupts that one.
  void with_foreign(const std::string& name, const prepare_function& prepare) {
    const auto after_another = [prepare](bool completes) {
      handle_plainly(
          SIGHUP, [](int) {}, SA_RESTART);
      return prepare(completes);
    };
    both(name + "_with_foreign", after_another, injection::signal_and_foreign);
  }
  void blocks(const std::string& name, const prepare_function& prepare,
              injection with = injection::signal, int most_steps = 200'000) {
    all_.push_back(make_scene(name, kind::blocks, prepare, with, most_steps));
  }
  void completes(const std::string& name, const prepare_function& prepare,
                 injection with = injection::signal) {
    all_.push_back(make_scene(name, kind::completes, prepare, with));
  }
  [[nodiscard]] auto values() const { return testing::ValuesIn(all_); }

 private:
  std::vector<scene> all_;
};

class single_step : public testing::TestWithParam<scene> {};

TEST_P(single_step, loses_nothing) {
  const count counts = try_all(GetParam());
  EXPECT_EQ(counts.hung + counts.wrong, 0) << counts.first;
  EXPECT_GE(counts.boundaries, 10);
  EXPECT_LT(counts.missed, counts.boundaries);
}

inline std::string name_of(const testing::TestParamInfo<scene>& each) { return each.param.name; }

}  // namespace tracing
