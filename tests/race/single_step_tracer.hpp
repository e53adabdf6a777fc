// Brings children to each instruction boundary of a call, injects, and looks how they end. For
// x86-64 Linux.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <sigpp/sigpp.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include "support/aim.hpp"
#include "support/support.hpp"

namespace tracing {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct woken {};

// Shared by the tracer and its children.
struct board {
  std::atomic<int> handled;
  std::atomic<steady_clock::time_point> deadline;
};

inline board& shared_board() { return support::shared_with_children<board>(); }

// For injection::time, which lets it pass at each boundary: long enough to come there before.
inline constexpr milliseconds short_time = 8ms;
inline milliseconds time_to_deadline = short_time;

inline int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

// ---- the child ---------------------------------------------------------------------------------

// One call, ready to be made. Its resources end with the child.
struct act {
  std::function<bool()> run;                              // true: it has returned what it should
  std::function<bool()> untouched = [] { return true; };  // after an exception: nothing was taken
  std::function<void()> later = [] { sigpp::check(); };   // the next safe point
};

enum class kind { blocks, completes };
enum class injection { signal, signal_and_foreign, time };

struct scene {
  std::string name;
  kind what;
  std::function<act()> prepare;  // in the child; also makes the call once, so that it is bound
  injection with = injection::signal;
  int most_steps = 100'000;
};

inline std::ostream& operator<<(std::ostream& out, const scene& s) { return out << s.name; }

// How a child ends.
enum : int {
  thrown = 10,       // the handler's exception has left the call
  returned = 11,     // the call has its result, the handler has run at the next safe point
  lost_result = 12,  // the exception has left it, and what it would have returned is gone
  wrong_result = 13,
  not_handled = 14,  // the next safe point has not run the handler
  not_once = 15,
  hit_later = 16,  // what belonged to the call has come after it
  broken = 17,
};

inline const char* text_of(int ended) {
  switch (ended) {
    case thrown:
      return "thrown";
    case returned:
      return "returned";
    case lost_result:
      return "an exception has left the call, and the result is lost";
    case wrong_result:
      return "the call has returned something wrong";
    case not_handled:
      return "the next safe point has not run the handler";
    case not_once:
      return "the handler has not run exactly once";
    case hit_later:
      return "what belonged to the call has hit later code";
    case broken:
      return "the scene is broken";
    default:
      return "the child has died";
  }
}

inline void window_begins() { __asm__ volatile("int3"); }
[[gnu::noinline]] void window_ends() { __asm__ volatile(""); }

inline int play(const scene& s) {
  bool done = false;
  try {
    const act a = s.prepare();
    try {
      window_begins();
      const bool right = a.run();
      done = true;  // NOLINT(clang-analyzer-deadcode.DeadStores): read where woken is caught
      window_ends();
      if (!right) return wrong_result;
      a.later();
      return s.with == injection::time ? returned : not_handled;
    } catch (const woken&) {
    }
    if (shared_board().handled != 1) return not_once;
    if (!done && !a.untouched()) return lost_result;
    a.later();  // nothing comes any more
    return done ? returned : thrown;
  } catch (const woken&) {
    return not_once;
  } catch (const sigpp::timed_out&) {
    return hit_later;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", s.name.c_str(), e.what());
    return broken;
  }
}

// ---- the tracer --------------------------------------------------------------------------------

inline sigset_t only(int signum) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signum);
  return set;
}

class traced_child {
 public:
  explicit traced_child(const scene& s) {
    shared_board().handled = 0;
    pid_ = checked(fork(), "fork");
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const sigset_t child_ends = only(SIGCHLD);
      pthread_sigmask(SIG_UNBLOCK, &child_ends, nullptr);
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      _exit(play(s));
    }
    for (;;) {
      if (!wait_for_news(10s)) throw std::runtime_error("it does not come to the call");
      if (!stopped_) throw std::runtime_error(std::string("before the call: ") + text_of(ended()));
      if (WSTOPSIG(status_) == SIGTRAP) break;
      resume(PTRACE_CONT);
    }
  }
  ~traced_child() {
    if (!gone_) ::kill(pid_, SIGKILL);
    while (!gone_) wait_for_news(1s);
  }
  traced_child(const traced_child&) = delete;
  traced_child& operator=(const traced_child&) = delete;

  /// One instruction. false: it blocks, or the window is at its end.
  bool step() { return at() != end_of_window_ && go(PTRACE_SINGLESTEP); }

  /// Until it has come to `place` for so many times, or to the end of the window. false: it blocks
  /// before, and is of no more use.
  bool run_to(unsigned long place, int times) {
    const breakpoint end(*this, end_of_window_);
    while (times > 0) {
      std::optional<breakpoint> there(std::in_place, *this, place);
      if (!go(PTRACE_CONT)) return false;
      const unsigned long now = at() - 1;
      if (WSTOPSIG(status_) != SIGTRAP || (now != place && now != end_of_window_)) continue;
      ptrace(PTRACE_POKEUSER, pid_, rip, now);
      if (now == end_of_window_ || --times == 0) return true;
      there.reset();
      step();
    }
    return true;
  }
  void run_until_it_blocks() {
    while (go(PTRACE_CONT)) {
    }
  }

  [[nodiscard]] unsigned long at() const {
    return static_cast<unsigned long>(ptrace(PTRACE_PEEKUSER, pid_, rip, nullptr));
  }

  /// Does it block?
  [[nodiscard]] bool sleeps() const { return !stopped_ && !gone_; }

  /// Is the next instruction a system call?
  [[nodiscard]] bool enters_kernel() const {
    errno = 0;
    const long code = ptrace(PTRACE_PEEKTEXT, pid_, at(), nullptr);
    return errno == 0 && (code & 0xffff) == 0x050f;
  }
  /// Into it, up to where the kernel has not begun it.
  void enter_kernel() {
    resume(PTRACE_SYSCALL);
    if (!wait_for_news(10s)) throw std::runtime_error("no stop at the system call");
  }

  /// Sends, and lets it run.
  void inject_and_let_go(std::initializer_list<int> signals) {
    for (const int n : signals) ::kill(pid_, n);
    if (!stopped_ && signals.size() != 0 && !wait_for_news(10s)) {
      throw std::runtime_error("no stop for the signal");
    }
    if (stopped_) resume(PTRACE_DETACH);  // else time shall end its blocking, and end() helps
  }

  /// How it ends; nullopt: not within `patience`.
  std::optional<int> end(milliseconds patience) {
    const auto until = steady_clock::now() + patience;
    while (!gone_ && steady_clock::now() < until) {
      if (wait_for_news(until - steady_clock::now()) && stopped_) resume(PTRACE_CONT);
    }
    if (!gone_) return std::nullopt;
    return ended();
  }

 private:
  static constexpr std::size_t rip = offsetof(user_regs_struct, rip);
  const unsigned long end_of_window_ = reinterpret_cast<unsigned long>(&window_ends);

  // An int3 in the child's copy of the code.
  class breakpoint {
   public:
    breakpoint(const traced_child& child, unsigned long place)
        : pid_(child.pid_), place_(place), code_(ptrace(PTRACE_PEEKTEXT, pid_, place, nullptr)) {
      ptrace(PTRACE_POKETEXT, pid_, place_, (code_ & ~0xffL) | 0xcc);
    }
    ~breakpoint() { ptrace(PTRACE_POKETEXT, pid_, place_, code_); }
    breakpoint(const breakpoint&) = delete;
    breakpoint& operator=(const breakpoint&) = delete;

   private:
    pid_t pid_;
    unsigned long place_;
    long code_;
  };

  // Until it stops. false: it blocks.
  bool go(decltype(PTRACE_CONT) request) {
    resume(request);
    while (!wait_for_news(1ms)) {
      if (state() == 'S') return false;
    }
    if (!stopped_) throw std::runtime_error("it has ended within the call");
    return true;
  }

  [[nodiscard]] char state() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    std::string line;
    std::getline(file, line);
    const auto name_ends = line.rfind(')');
    return name_ends + 2 < line.size() ? line[name_ends + 2] : '?';
  }

  // Its own signals go on to it; our SIGTRAP does not.
  void resume(decltype(PTRACE_CONT) request) {
    const int signum = WSTOPSIG(status_);
    stopped_ = false;
    ptrace(request, pid_, nullptr, signum == SIGTRAP ? 0L : static_cast<long>(signum));
  }

  // false: it neither stops nor ends for so long. SIGCHLD is blocked.
  bool wait_for_news(std::chrono::nanoseconds limit) {
    const auto until = steady_clock::now() + limit;
    const sigset_t child_has_news = only(SIGCHLD);
    for (;;) {
      if (::waitpid(pid_, &status_, WNOHANG) == pid_) {
        stopped_ = WIFSTOPPED(status_);
        gone_ = !stopped_;
        return true;
      }
      const auto left = until - steady_clock::now();
      if (left <= 0ns) return false;
      const timespec time{.tv_sec = left / 1s, .tv_nsec = (left % 1s) / 1ns};
      sigtimedwait(&child_has_news, nullptr, &time);
    }
  }

  [[nodiscard]] int ended() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; }

  pid_t pid_ = 0;
  int status_ = 0;
  bool stopped_ = false;
  bool gone_ = false;
};

struct count {
  int instructions = 0;  // of the whole window
  int boundaries = 0;    // where there was an injection
  int missed = 0;        // the child has not come there: not every look at a clock is as long
  int thrown = 0;
  int returned = 0;
  int hung = 0;
  int wrong = 0;
  std::string first;  // the first that went wrong
};

// What a child does in the window when nothing is injected.
struct track {
  std::vector<unsigned long> places;  // of its instructions; the last is not executed, or blocks
  std::vector<int> entries;           // which of them enter the kernel
  bool blocks = false;
};

inline track record(const scene& s) {
  track t;
  time_to_deadline = 1h;  // the children have a copy
  traced_child child(s);
  time_to_deadline = short_time;
  do {
    if (child.enters_kernel()) t.entries.push_back(static_cast<int>(t.places.size()));
    t.places.push_back(child.at());
  } while (static_cast<int>(t.places.size()) <= s.most_steps && child.step());
  t.blocks = child.sleeps();
  return t;
}

enum class where { before, in_kernel, blocked };

// Lets a child come to the boundary before instruction `k`, or further into it, injects, and looks.
inline void try_boundary(const scene& s, const track& t, int k, where at, milliseconds patience,
                         count& counts) {
  traced_child child(s);
  const auto here = t.places.begin() + k;
  if (at == where::blocked) {
    child.run_until_it_blocks();
  } else {  // by a breakpoint: to step all the way would be slow
    const auto times = std::count(t.places.begin(), here + 1, *here);
    const bool came = child.run_to(*here, static_cast<int>(times) - (child.at() == *here ? 1 : 0));
    if (!came || (at == where::in_kernel && child.at() != *here)) {
      ++counts.missed;
      return;
    }
  }
  if (at == where::in_kernel) child.enter_kernel();
  switch (s.with) {
    case injection::signal:
      child.inject_and_let_go({SIGUSR1});
      break;
    case injection::signal_and_foreign:
      child.inject_and_let_go({SIGHUP, SIGUSR1});
      break;
    case injection::time:
      std::this_thread::sleep_until(shared_board().deadline.load());
      child.inject_and_let_go({});
      break;
  }
  ++counts.boundaries;
  const auto ended = child.end(patience);
  const bool good = ended == thrown || (ended == returned && s.what == kind::completes);
  if (ended == thrown) ++counts.thrown;
  if (ended == returned) ++counts.returned;
  if (good) return;
  ++(ended ? counts.wrong : counts.hung);
  if (!counts.first.empty()) return;
  counts.first = "after " + std::to_string(k) + " instructions" +
                 (at == where::before ? "" : ", in the kernel") + ": " +
                 (ended ? text_of(*ended) : "it sleeps on") +
                 (ended == returned ? ", where it must not" : "") + "; the handler has run " +
                 std::to_string(shared_board().handled.load()) + " times";
}

// Where there are more boundaries, as in a Debug build, some are left out, evenly.
inline constexpr int most_boundaries = 1200;
inline constexpr int most_waits = 200;  // injection::time waits at each

inline count try_all(const scene& s, milliseconds patience = 5s, int enough = 1) {
  const sigset_t child_has_news = only(SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &child_has_news, nullptr);
  cpu_set_t here;  // tracing is a ping-pong, which is ten times as slow across processors
  CPU_ZERO(&here);
  CPU_SET(static_cast<unsigned>(sched_getcpu()), &here);
  sched_setaffinity(0, sizeof here, &here);

  const track t = record(s);
  const int all = static_cast<int>(t.places.size());
  const int most = support::trials(s.with == injection::time ? most_waits : most_boundaries);
  const int stride = 1 + all / most;
  count counts;
  counts.instructions = all - 1;
  const auto attempt = [&](int k, where at) {
    if (counts.hung + counts.wrong < enough) try_boundary(s, t, k, at, patience, counts);
  };
  for (const int k : t.entries) attempt(k, where::in_kernel);
  for (int k = 0; k < all; k += stride) attempt(k, where::before);
  if (stride != 1) attempt(all - 1, where::before);
  if (t.blocks) attempt(all - 1, where::blocked);
  std::printf(
      "%s: %d instructions, %d boundaries, %d thrown, %d returned, %d hung, %d wrong, %d missed\n",
      s.name.c_str(), counts.instructions, counts.boundaries, counts.thrown, counts.returned,
      counts.hung, counts.wrong, counts.missed);
  testing::Test::RecordProperty("instructions", counts.instructions);
  testing::Test::RecordProperty("boundaries", counts.boundaries);
  return counts;
}

}  // namespace tracing
