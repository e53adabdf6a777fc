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

#include "race/single_step_tracer.hpp"
#include "support/support.hpp"

namespace {

using namespace std::chrono_literals;
using namespace tracing;

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

[[maybe_unused]] act connect_act(bool room) {
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

[[maybe_unused]] act timeout_act(bool) {
  throw_on_signal();
  const auto enter_and_leave = [] { return sigpp::with_timeout(1h, [] { sigpp::check(); }); };
  enter_and_leave();
  return {.run = enter_and_leave, .later = later_code};
}

[[maybe_unused]] act timer_act(bool) {
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
  both("poll", poll_act);
  both("ppoll", ppoll_act);
  both("select", select_act);
  both("waitpid", waitpid_act);
  both("flock", flock_act);
  both("fcntl_lock", fcntl_act);
  both("sleep_for", sleep_act);
  all.push_back(make_scene("pause", kind::blocks, pause_act));
  all.push_back(make_scene("check", kind::blocks, check_act, injection::signal, 100));
#ifndef SIGPP_TEST_POSIX_PLATFORM
  both("epoll_wait", epoll_act);
  // On other systems with the help of a second thread, which is not traced, or by looking again and
  // again, so that no two runs go the same way.
  both("connect", connect_act);
  all.push_back(make_scene("with_timeout", kind::completes, timeout_act));
  all.push_back(make_scene("timer", kind::completes, timer_act));
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
