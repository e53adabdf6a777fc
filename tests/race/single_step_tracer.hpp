// Brings children to each instruction boundary of a call, injects, and looks how they end. For
// x86-64 Linux.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sigpp/sigpp.hpp>

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
// in_forked_child: the process that `run` forks is the one to trace. The one that has forked it
// ends as it does.
enum class injection { signal, signal_and_foreign, queued_signal, in_forked_child, time };

struct scene {
  std::string name;
  kind what;
  std::function<act()> prepare;  // in the child; also makes the call once, so that it is bound
  injection with = injection::signal;
  int most_steps = 200'000;
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
    if (shared_board().handled != 1) return not_once;
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

// Other threads of the child run freely: its breakpoints are its main thread's own, in the
// processor's debug registers.
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
    if (s.with == injection::in_forked_child) follow_fork();
  }
  ~traced_child() {
    for (const pid_t forked : {forked_, forker_}) {
      if (!gone_ && forked != 0) ::kill(forked, SIGKILL);
    }
    if (!gone_) ::kill(pid_, SIGKILL);
    while (!gone_) wait_for_news(1s);
  }
  traced_child(const traced_child&) = delete;
  traced_child& operator=(const traced_child&) = delete;

  /// One instruction. false: it blocks, or the window is at its end.
  bool step() { return at() != end_of_window_ && go(PTRACE_SINGLESTEP); }

  /// Until it has come to `place` for so many times. false: it blocks, or is at the end of the
  /// window, before.
  bool run_to(unsigned long place, int times) {
    if (place == end_of_window_) times = 1;
    set_breakpoints({place, end_of_window_});
    bool came = true;
    while (times > 0 && came) {
      came = go(PTRACE_CONT);
      if (came && WSTOPSIG(status_) != SIGTRAP) continue;
      came = came && at() == place;
      --times;
    }
    if (stopped_) set_breakpoints({});
    return came;
  }
  void run_until_it_blocks() {
    while (go(PTRACE_CONT, 1ms)) {
    }
  }

  [[nodiscard]] unsigned long at() const { return peek(offsetof(user_regs_struct, rip)); }

  /// Has it come here by an instruction, and not to take a signal?
  [[nodiscard]] bool has_stepped() const { return WSTOPSIG(status_) == SIGTRAP; }

  /// Does it block?
  [[nodiscard]] bool sleeps() const { return !stopped_ && !gone_; }

  /// Is the next instruction a system call?
  [[nodiscard]] bool enters_kernel() const {
    errno = 0;
    const long code = ptrace(PTRACE_PEEKTEXT, pid_, at(), nullptr);
    return errno == 0 && (code & 0xffff) == 0x050f;
  }
  /// One of those in which calls that poll wait for a while?
  [[nodiscard]] bool enters_nap() const {
    const auto number = static_cast<long>(peek(offsetof(user_regs_struct, rax)));
    return enters_kernel() &&
           (number == SYS_ppoll || number == SYS_pselect6 || number == SYS_rt_sigtimedwait);
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
    if (forker_ != 0) forked_ = std::exchange(pid_, std::exchange(forker_, 0));
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
  const unsigned long end_of_window_ = reinterpret_cast<unsigned long>(&window_ends);

  [[nodiscard]] unsigned long peek(std::size_t offset) const {
    return static_cast<unsigned long>(ptrace(PTRACE_PEEKUSER, pid_, offset, nullptr));
  }

  // At most four. It stops before the instruction.
  void set_breakpoints(std::initializer_list<unsigned long> places) {
    constexpr std::size_t registers = offsetof(user, u_debugreg);
    constexpr std::size_t control = registers + 7 * sizeof(long);
    ptrace(PTRACE_POKEUSER, pid_, control, 0L);
    unsigned long enabled = 0;
    std::size_t i = 0;
    for (const unsigned long place : places) {
      ptrace(PTRACE_POKEUSER, pid_, registers + i * sizeof(long), place);
      enabled |= 1UL << (2 * i++);
    }
    if (ptrace(PTRACE_POKEUSER, pid_, control, enabled) != 0) {
      throw std::system_error(errno, std::generic_category(), "no breakpoints here");
    }
  }

  void follow_fork() {
    ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_TRACEFORK);
    do {
      resume(PTRACE_CONT);
      if (!wait_for_news(10s) || !stopped_) throw std::runtime_error("it does not fork");
    } while (status_ >> 8 != (SIGTRAP | PTRACE_EVENT_FORK << 8));
    unsigned long child = 0;
    ptrace(PTRACE_GETEVENTMSG, pid_, nullptr, &child);
    forker_ = std::exchange(pid_, static_cast<pid_t>(child));
    if (!wait_for_news(10s)) throw std::runtime_error("the forked child does not stop");
    ptrace(PTRACE_DETACH, forker_, nullptr, nullptr);
  }

  // Until it stops. false: it sleeps, and has done so for `patience`: longer than any nap of a call
  // that polls.
  bool go(decltype(PTRACE_CONT) request, milliseconds patience = 25ms) {
    resume(request);
    for (auto awake = steady_clock::now(); !wait_for_news(1ms);) {
      if (state() != 'S') awake = steady_clock::now();
      if (steady_clock::now() - awake >= patience) return false;
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

  // Its own signals go on to it; what is ours does not.
  void resume(decltype(PTRACE_CONT) request) {
    const int signum = WSTOPSIG(status_);
    const bool ours = signum == SIGTRAP || signum == SIGSTOP;
    stopped_ = false;
    ptrace(request, pid_, nullptr, ours ? 0L : static_cast<long>(signum));
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

  pid_t pid_ = 0;     // traced; or waited for
  pid_t forker_ = 0;  // has forked it
  pid_t forked_ = 0;  // has been forked, and let go
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
  int steps = 0;  // an instruction that repeats itself takes many
};

// A call that polls is over when it naps for the third time: it would do so for ever. One that
// completes does not nap: it looks.
inline track record(const scene& s) {
  constexpr int most_naps = 3;
  track t;
  time_to_deadline = 1h;  // the children have a copy
  traced_child child(s);
  time_to_deadline = short_time;
  int naps = 0;
  do {
    ++t.steps;
    if (!child.has_stepped() || (!t.places.empty() && child.at() == t.places.back())) continue;
    if (child.enters_kernel()) t.entries.push_back(static_cast<int>(t.places.size()));
    if (s.what == kind::blocks && child.enters_nap()) ++naps;
    t.places.push_back(child.at());
  } while (static_cast<int>(t.places.size()) <= s.most_steps && naps < most_naps && child.step());
  t.blocks = child.sleeps() || naps == most_naps;
  return t;
}

// The shortest way of some: a clock that is stepped through is often looked at twice, and another
// thread may be slow.
inline track record_usual(const scene& s) {
  const auto rank = [&](const track& t) {
    return std::pair(t.blocks != (s.what == kind::blocks), t.places.size());
  };
  track best = record(s);
  int steps = best.steps;
  for (int more = 5; more > 0 && steps < 10'000; --more) {
    track t = record(s);
    steps += t.steps;
    if (rank(t) < rank(best)) best = std::move(t);
  }
  return best;
}

enum class where { before, in_kernel, blocked };

// Lets a child come to the boundary before instruction `k`, or further into it, injects, and looks.
// false: it has not come there.
inline bool try_boundary(const scene& s, const track& t, int k, where at, milliseconds patience,
                         count& counts) {
  traced_child child(s);
  const auto here = t.places.begin() + k;
  if (at == where::blocked) {
    child.run_until_it_blocks();
  } else {  // by a breakpoint: to step all the way would be slow
    const auto times = std::count(t.places.begin(), here + 1, *here);
    if (!child.run_to(*here, static_cast<int>(times))) return false;
  }
  if (at == where::in_kernel) child.enter_kernel();
  switch (s.with) {
    case injection::signal:
    case injection::in_forked_child:
      child.inject_and_let_go({SIGUSR1});
      break;
    case injection::signal_and_foreign:
      child.inject_and_let_go({SIGHUP, SIGUSR1});
      break;
    case injection::queued_signal:
      child.inject_and_let_go({SIGRTMIN});
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
  if (good) return true;
  ++(ended ? counts.wrong : counts.hung);
  if (!counts.first.empty()) return true;
  counts.first = "after " + std::to_string(k) + " instructions" +
                 (at == where::before ? "" : ", in the kernel") + ": " +
                 (ended ? text_of(*ended) : "it sleeps on") +
                 (ended == returned ? ", where it must not" : "") + "; the handler has run " +
                 std::to_string(shared_board().handled.load()) + " times";
  return true;
}

// Where there are more boundaries, some are left out, evenly; none in a long run.
inline int most_boundaries(const scene& s) {
  if (std::getenv("SIGPP_LONG") != nullptr) return s.most_steps + 1;
  return s.with == injection::time ? 150 : 300;  // time: it waits at each
}

inline count try_all(const scene& s, milliseconds patience = 5s, int enough = 1) {
  const sigset_t child_has_news = only(SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &child_has_news, nullptr);
  cpu_set_t here;  // tracing is a ping-pong, which is ten times as slow across processors
  CPU_ZERO(&here);
  CPU_SET(static_cast<unsigned>(sched_getcpu()), &here);
  sched_setaffinity(0, sizeof here, &here);

  const track t = record_usual(s);
  const bool goes_on = t.blocks || static_cast<int>(t.places.size()) > s.most_steps;
  if (goes_on != (s.what == kind::blocks) && s.with != injection::time) {
    throw std::runtime_error(goes_on ? "it does not complete" : "it does not block");
  }
  const int all = static_cast<int>(t.places.size());
  const int stride = 1 + all / most_boundaries(s);
  count counts;
  counts.instructions = all - 1;
  const auto attempt = [&](int k, where at) {
    if (counts.hung + counts.wrong >= enough) return;
    for (int tries = 0; tries < 3; ++tries) {
      if (try_boundary(s, t, k, at, patience, counts)) return;
    }
    ++counts.missed;
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
  testing::Test::RecordProperty("missed", counts.missed);
  return counts;
}

}  // namespace tracing
