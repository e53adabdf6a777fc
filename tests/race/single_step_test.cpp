// A signal after every single instruction of a blocking call. A tracer brings a fresh child k
// instructions into the call, injects, and lets it go, for every k: what random moments hit once in
// a million trials is hit each time. A call that would block must end; a call that has taken
// something must give it.
#include <gtest/gtest.h>

#if defined(__linux__) && defined(__x86_64__)

#include <fcntl.h>
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
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct woken {};

// Shared by the tracer and its children.
struct board {
  std::atomic<int> handled;
  std::atomic<steady_clock::time_point> deadline;
};

board& shared_board() {
  static auto* const one =
      new (mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
          board{};
  return *one;
}

// For injection::time, which lets it pass at each boundary: long enough to come there before.
constexpr milliseconds short_time = 8ms;
milliseconds time_to_deadline = short_time;

int checked(int result, const char* what) {
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

std::ostream& operator<<(std::ostream& out, const scene& s) { return out << s.name; }

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

const char* text_of(int ended) {
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

void window_begins() { __asm__ volatile("int3"); }
[[gnu::noinline]] void window_ends() { __asm__ volatile(""); }

int play(const scene& s) {
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

sigset_t only(int signum) {
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

track record(const scene& s) {
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
void try_boundary(const scene& s, const track& t, int k, where at, milliseconds patience,
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
constexpr int most_boundaries = 1200;
constexpr int most_waits = 200;  // injection::time waits at each

count try_all(const scene& s, milliseconds patience = 5s, int enough = 1) {
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

// ---- what the scenes need ----------------------------------------------------------------------

void throw_on_signal() {
  sigpp::signal(SIGUSR1, [] {
    ++shared_board().handled;
    throw woken{};
  });
}

struct two_ends {
  int in = -1;
  int out = -1;
};

two_ends make_pipe() {
  int ends[2];
  checked(pipe2(ends, O_CLOEXEC), "pipe");
  return {ends[0], ends[1]};
}

two_ends make_sockets() {
  int ends[2];
  checked(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
  return {ends[0], ends[1]};
}

int bytes_in(int fd) {
  int bytes = -1;
  ioctl(fd, FIONREAD, &bytes);
  return bytes;
}

// Until nothing more goes in.
void fill(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  static const std::array<char, 4096> bytes{};
  while (::write(fd, bytes.data(), bytes.size()) > 0) {
  }
  while (::write(fd, bytes.data(), 1) > 0) {
  }
  fcntl(fd, F_SETFL, flags);
}

using buffer = std::array<char, 1>;

struct local_address {
  sockaddr_un name{};
  socklen_t length = sizeof(sa_family_t);  // the system finds a name
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&name); }
};

int make_socket() { return checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"); }

// Listens; as many connections as `backlog` + 1 wait without being accepted.
int make_listener(local_address& address, int backlog) {
  const int fd = make_socket();
  address.name.sun_family = AF_UNIX;
  checked(bind(fd, address.get(), address.length), "bind");
  address.length = sizeof address.name;
  checked(getsockname(fd, address.get(), &address.length), "getsockname");
  checked(listen(fd, backlog), "listen");
  return fd;
}

// Its end is ours, too.
pid_t fork_helper(const std::function<void()>& f) {
  const pid_t child = checked(fork(), "fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    f();
    _exit(5);
  }
  return child;
}

// ---- the scenes: read, write, sockets ----------------------------------------------------------

act read_act(bool there) {
  throw_on_signal();
  const two_ends ends = make_pipe();
  buffer to{};
  sigpp::write(ends.out, std::string_view("a"));
  sigpp::read(ends.in, to);
  if (there) sigpp::write(ends.out, std::string_view("b"));
  return {.run =
              [=] {
                buffer got{};
                return sigpp::read(ends.in, got) == 1 && got[0] == 'b';
              },
          .untouched = [=] { return bytes_in(ends.in) == (there ? 1 : 0); }};
}

act write_act(bool room) {
  throw_on_signal();
  const two_ends ends = make_pipe();
  sigpp::write(ends.out, std::string_view("a"));
  if (!room) fill(ends.out);
  const int before = bytes_in(ends.in);
  return {.run =
              [=] {
                return sigpp::write(ends.out, std::string_view("b")) == 1 &&
                       bytes_in(ends.in) == before + 1;
              },
          .untouched = [=] { return bytes_in(ends.in) == before; }};
}

act recv_act(bool there) {
  throw_on_signal();
  const two_ends ends = make_sockets();
  buffer to{};
  sigpp::write(ends.out, std::string_view("a"));
  sigpp::recv(ends.in, std::as_writable_bytes(std::span(to)));
  if (there) sigpp::write(ends.out, std::string_view("b"));
  return {.run =
              [=] {
                buffer got{};
                return sigpp::recv(ends.in, std::as_writable_bytes(std::span(got))) == 1 &&
                       got[0] == 'b';
              },
          .untouched = [=] { return bytes_in(ends.in) == (there ? 1 : 0); }};
}

act send_act(bool room) {
  throw_on_signal();
  const two_ends ends = make_sockets();
  static const buffer one{'a'};
  sigpp::send(ends.out, std::as_bytes(std::span(one)));
  if (!room) fill(ends.out);
  const int before = bytes_in(ends.in);
  return {.run =
              [=] {
                return sigpp::send(ends.out, std::as_bytes(std::span(one))) == 1 &&
                       bytes_in(ends.in) == before + 1;
              },
          .untouched = [=] { return bytes_in(ends.in) == before; }};
}

act accept_act(bool there) {
  throw_on_signal();
  local_address address;
  const int listener = make_listener(address, 4);
  const auto call = [address] {
    checked(::connect(make_socket(), address.get(), address.length), "connect");
  };
  call();
  sigpp::accept4(listener, nullptr, nullptr, 0);
  if (there) call();
  return {.run = [=] { return sigpp::accept4(listener, nullptr, nullptr, 0) >= 0; },
          .untouched =
              [=] {
                fcntl(listener, F_SETFL, O_NONBLOCK);
                return (::accept(listener, nullptr, nullptr) >= 0) == there;
              }};
}

act connect_act(bool room) {
  throw_on_signal();
  local_address address;
  const int listener = make_listener(address, room ? 1 : 0);
  sigpp::connect(make_socket(), address.get(), address.length);
  const int caller = make_socket();
  return {.run =
              [=] {
                sigpp::connect(caller, address.get(), address.length);
                return true;
              },
          .untouched = [=] {  // it may be called again
            fcntl(listener, F_SETFL, O_NONBLOCK);
            local_address peer;
            peer.length = sizeof peer.name;
            return ::getpeername(caller, peer.get(), &peer.length) == 0 ||
                   (::accept(listener, nullptr, nullptr) >= 0 &&
                    ::connect(caller, address.get(), address.length) == 0);
          }};
}

// ---- waiting for several -----------------------------------------------------------------------

two_ends make_ready_pipe(bool ready) {
  const two_ends ends = make_pipe();
  if (ready) sigpp::write(ends.out, std::string_view("a"));
  return ends;
}

act poll_act(bool there) {
  throw_on_signal();
  const two_ends ends = make_ready_pipe(there);
  const auto wait = [](int fd) {
    pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
    return sigpp::poll({&one, 1}) == 1 && one.revents == POLLIN;
  };
  wait(make_ready_pipe(true).in);
  return {.run = [=] { return wait(ends.in); }};
}

act ppoll_act(bool there) {
  throw_on_signal();
  const two_ends ends = make_ready_pipe(there);
  const auto wait = [](int fd) {
    const sigset_t mask = only(SIGUSR2);
    pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
    return sigpp::ppoll({&one, 1}, steady_clock::now() + 1h, mask) == 1 && one.revents == POLLIN;
  };
  wait(make_ready_pipe(true).in);
  return {.run = [=] { return wait(ends.in); }};
}

act select_act(bool there) {
  throw_on_signal();
  const two_ends ends = make_ready_pipe(there);
  const auto wait = [](int fd) {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(fd, &in);
    return sigpp::select(fd + 1, &in, nullptr, nullptr) == 1 && FD_ISSET(fd, &in);
  };
  wait(make_ready_pipe(true).in);
  return {.run = [=] { return wait(ends.in); }};
}

// Edge-triggered: each event is told once, so it can be lost.
[[maybe_unused]] act epoll_act(bool there) {
  throw_on_signal();
  const two_ends ends = make_pipe();
  const int fd = checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {}};
  checked(epoll_ctl(fd, EPOLL_CTL_ADD, ends.in, &event), "epoll_ctl");
  const auto wait = [fd] {
    epoll_event one{};
    return sigpp::epoll_wait(fd, {&one, 1}) == 1 && one.events == EPOLLIN;
  };
  sigpp::write(ends.out, std::string_view("a"));
  wait();
  if (there) sigpp::write(ends.out, std::string_view("b"));
  return {.run = wait, .untouched = [=] {
            epoll_event one{};
            return ::epoll_wait(fd, &one, 1, 0) == (there ? 1 : 0);
          }};
}

// ---- children, files, locks --------------------------------------------------------------------

act waitpid_act(bool ended) {
  throw_on_signal();
  const pid_t child = fork_helper([=] {
    if (!ended) ::pause();
  });
  if (ended) {
    siginfo_t info{};
    checked(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), "waitid");
  }
  sigpp::waitpid(fork_helper([] {}));
  return {.run =
              [=] {
                const auto got = sigpp::waitpid(child);
                return got.pid == child && WIFEXITED(got.status) && WEXITSTATUS(got.status) == 5;
              },
          .untouched = [=] { return ::waitpid(child, nullptr, WNOHANG) == (ended ? child : 0); }};
}

// In a folder that the test makes.
std::string& fifo_path() {
  static std::string path;
  return path;
}

[[maybe_unused]] act open_act(bool other_side) {
  throw_on_signal();
  // Reading and writing: that waits for nobody. It is the other side then.
  const int both = sigpp::open(fifo_path().c_str(), O_RDWR | O_CLOEXEC);
  if (!other_side) ::close(both);
  return {.run = [=] { return sigpp::open(fifo_path().c_str(), O_RDONLY | O_CLOEXEC) >= 0; }};
}

act flock_act(bool free) {
  throw_on_signal();
  const int one = checked(memfd_create("lock", MFD_CLOEXEC), "memfd_create");
  const std::string again = "/proc/self/fd/" + std::to_string(one);
  const int other = checked(::open(again.c_str(), O_RDWR | O_CLOEXEC), "open");
  sigpp::flock(one, LOCK_EX);
  sigpp::flock(one, free ? LOCK_UN : LOCK_EX);
  return {.run =
              [=] {
                sigpp::flock(other, LOCK_EX);
                return ::flock(one, LOCK_EX | LOCK_NB) != 0;
              },
          .untouched = [=] { return ::flock(one, LOCK_EX | LOCK_NB) == 0; }};
}

// The tracer holds a lock on its first byte.
int& locked_file() {
  static int fd = -1;
  return fd;
}

struct flock lock_of_byte(off_t at) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = at;
  lock.l_len = 1;
  return lock;
}

act fcntl_act(bool free) {
  throw_on_signal();
  const auto take = [](off_t at) {
    struct flock lock = lock_of_byte(at);
    sigpp::fcntl_lock(locked_file(), F_SETLKW, lock);
    return true;
  };
  take(2);
  return {.run = [=] { return take(free ? 1 : 0); },
          .untouched = [=] {  // another process finds it free
            int status = 0;
            const pid_t helper = fork_helper([] {
              struct flock lock = lock_of_byte(1);
              if (fcntl(locked_file(), F_SETLK, &lock) != 0) _exit(6);
            });
            ::waitpid(helper, &status, 0);
            return WIFEXITED(status) && WEXITSTATUS(status) == 5;
          }};
}

// ---- sleeping, waiting for signals, check ------------------------------------------------------

act sleep_act(bool over) {
  throw_on_signal();
  sigpp::sleep_for(1ms);
  return {.run = [=] {
    sigpp::sleep_for(over ? 0ns : std::chrono::nanoseconds(1h));
    return true;
  }};
}

act pause_act(bool) {
  throw_on_signal();
  sigpp::sleep_for(1ms);
  return {.run = [] {
    sigpp::pause();
    return true;
  }};
}

[[maybe_unused]] act sigwait_act(bool there) {
  throw_on_signal();
  const sigset_t other = only(SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &other, nullptr);
  ::raise(SIGUSR2);
  sigpp::sigwait({SIGUSR2});
  if (there) ::raise(SIGUSR2);
  return {.run = [] { return sigpp::sigwait({SIGUSR2}) == SIGUSR2; },
          .untouched = [=] { return sigpp::sigpending().contains(SIGUSR2) == there; }};
}

act check_act(bool) {
  throw_on_signal();
  sigpp::check();
  return {.run = [] {
    for (;;) sigpp::check();
    return true;
  }};
}

// ---- timeouts and timers -----------------------------------------------------------------------

// Whatever was to end in time does not come now.
void later_code() {
  const two_ends ends = make_ready_pipe(true);
  buffer got{};
  sigpp::check();
  sigpp::read(ends.in, got);
  sigpp::sleep_for(2ms);
  sigpp::check();
}

act timeout_act(bool) {
  throw_on_signal();
  const auto enter_and_leave = [] { return sigpp::with_timeout(1h, [] { sigpp::check(); }); };
  enter_and_leave();
  return {.run = enter_and_leave, .later = later_code};
}

act timer_act(bool) {
  throw_on_signal();
  const auto arm_and_cancel = [] {
    bool called = false;
    auto t = sigpp::call_later(1h, [&] { called = true; });
    return t.cancel() && !called;
  };
  arm_and_cancel();
  return {.run = arm_and_cancel, .later = later_code};
}

void set_deadline() { shared_board().deadline = steady_clock::now() + time_to_deadline; }

[[maybe_unused]] act timeout_left_act(bool) {
  static_cast<void>(sigpp::with_timeout(1h, [] { sigpp::check(); }));
  set_deadline();
  return {.run =
              [] {
                int inside = 0;
                try {
                  const sigpp::timeout scope(shared_board().deadline.load());
                  sigpp::check();
                  ++inside;
                } catch (const sigpp::timed_out&) {
                  ++inside;
                }
                return inside == 1;
              },
          .later = later_code};
}

[[maybe_unused]] act timeout_read_act(bool) {
  const two_ends ends = make_pipe();
  buffer to{};
  sigpp::write(ends.out, std::string_view("a"));
  static_cast<void>(sigpp::with_timeout(1h, [&] { return sigpp::read(ends.in, to); }));
  set_deadline();
  return {.run =
              [=] {
                buffer got{};
                try {
                  const sigpp::timeout scope(shared_board().deadline.load());
                  sigpp::read(ends.in, got);
                } catch (const sigpp::timed_out&) {
                  return true;
                }
                return false;
              },
          .later = later_code};
}

[[maybe_unused]] act timer_due_act(bool) {
  sigpp::call_later(1h, [] {}).cancel();
  sigpp::check();
  set_deadline();
  return {.run =
              [] {
                int called = 0;
                auto t = sigpp::call_at(shared_board().deadline.load(), [&] { ++called; });
                sigpp::check();
                const bool cancelled = t.cancel();
                sigpp::check();
                return called == (cancelled ? 0 : 1);
              },
          .later = later_code};
}

// ---- all of them -------------------------------------------------------------------------------

scene make_scene(const char* name, kind what, act (*prepare)(bool),
                 injection with = injection::signal, int most_steps = 100'000) {
  return {.name = name + std::string(what == kind::blocks ? "_blocks" : "_completes"),
          .what = what,
          .prepare = [=] { return prepare(what == kind::completes); },
          .with = with,
          .most_steps = most_steps};
}

act read_with_foreign_act(bool there) {
  struct sigaction foreign {};
  foreign.sa_handler = [](int) {};
  foreign.sa_flags = SA_RESTART;
  sigaction(SIGHUP, &foreign, nullptr);
  return read_act(there);
}

std::vector<scene> all_scenes() {
  std::vector<scene> all;
  const auto both = [&](const char* name, act (*prepare)(bool),
                        injection with = injection::signal) {
    all.push_back(make_scene(name, kind::blocks, prepare, with));
    all.push_back(make_scene(name, kind::completes, prepare, with));
  };
  both("read", read_act);
  both("read_with_foreign", read_with_foreign_act, injection::signal_and_foreign);
  both("write", write_act);
  both("recv", recv_act);
  both("send", send_act);
  both("accept4", accept_act);
  both("connect", connect_act);
  both("poll", poll_act);
  both("ppoll", ppoll_act);
  both("select", select_act);
  both("waitpid", waitpid_act);
  both("flock", flock_act);
  both("fcntl_lock", fcntl_act);
  both("sleep_for", sleep_act);
  all.push_back(make_scene("pause", kind::blocks, pause_act));
  all.push_back(make_scene("check", kind::blocks, check_act, injection::signal, 100));
  all.push_back(make_scene("with_timeout", kind::completes, timeout_act));
  all.push_back(make_scene("timer", kind::completes, timer_act));
#ifndef SIGPP_TEST_POSIX_PLATFORM
  both("epoll_wait", epoll_act);
  // On other systems with the help of a second thread, which is not traced.
  both("open_fifo", open_act);
  both("sigwait", sigwait_act);
  all.push_back(make_scene("timeout_left", kind::completes, timeout_left_act, injection::time));
  all.push_back(make_scene("timeout_read", kind::completes, timeout_read_act, injection::time));
  all.push_back(make_scene("timer_due", kind::completes, timer_due_act, injection::time));
#endif
  return all;
}

class single_step : public testing::TestWithParam<scene> {
 protected:
  void SetUp() override {
    if (std::string folder = testing::TempDir() + "sigppXXXXXX"; mkdtemp(folder.data())) {
      folder_ = folder;
      fifo_path() = folder_ + "/fifo";
      mkfifo(fifo_path().c_str(), 0600);
    }
    locked_file() = memfd_create("locks", MFD_CLOEXEC);
    struct flock lock = lock_of_byte(0);
    ASSERT_EQ(fcntl(locked_file(), F_SETLK, &lock), 0);
  }
  void TearDown() override {
    ::unlink(fifo_path().c_str());
    ::rmdir(folder_.c_str());
  }

 private:
  std::string folder_;
};

TEST_P(single_step, loses_nothing) {
  const count counts = try_all(GetParam());
  EXPECT_EQ(counts.hung + counts.wrong, 0) << counts.first;
  EXPECT_GE(counts.boundaries, 10);
  EXPECT_LT(counts.missed, counts.boundaries);
}

INSTANTIATE_TEST_SUITE_P(call, single_step, testing::ValuesIn(all_scenes()),
                         [](const auto& each) { return each.param.name; });

// ---- negative controls: what the harness must catch --------------------------------------------

volatile sig_atomic_t seen = 0;
volatile sig_atomic_t armed = 0;
sigjmp_buf before_the_call;

void handle_plainly(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, nullptr);
}

void throw_if_seen() {
  if (seen == 0) return;
  seen = 0;
  throw woken{};
}

act naive_act(bool) {
  handle_plainly([](int) {
    seen = 1;
    ++shared_board().handled;
  });
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
  const count counts = try_all(make_scene("naive", kind::blocks, naive_act), 100ms, 1000);
  EXPECT_GT(counts.hung, 0);
  EXPECT_GT(counts.thrown, 0);
  EXPECT_EQ(counts.wrong, 0) << counts.first;
}

act siglongjmp_act(bool) {
  handle_plainly([](int) {
    seen = 1;
    ++shared_board().handled;
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
  const count counts =
      try_all(make_scene("siglongjmp", kind::completes, siglongjmp_act), 100ms, 1000);
  EXPECT_GT(counts.wrong, 0);
  EXPECT_NE(counts.first.find(text_of(lost_result)), std::string::npos) << counts.first;
  EXPECT_EQ(counts.hung, 0);
}

}  // namespace

#else

TEST(single_step, needs_linux_on_x86_64) { GTEST_SKIP(); }

#endif
