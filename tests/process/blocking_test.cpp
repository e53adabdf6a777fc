// Every blocking call: handlers run while it waits and it goes on; what they throw, a timeout, and
// interrupt() end it, on any thread; under a shield nothing does.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using support::wait_until;
using support::wait_until_it_sleeps;

// Something that blocks until release() is called, by another thread.
struct scenario {
  std::function<void()> block;
  std::function<void()> release;
};

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  return ends;
}

std::array<int, 2> make_sockets(int type = SOCK_STREAM) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, type, 0, ends.data()), 0);
  return ends;
}

void put(int fd) { EXPECT_EQ(::write(fd, "x", 1), 1); }

// Returns how much there is in it.
std::size_t fill(int fd) {
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  const std::vector<char> much(4096);
  std::size_t sum = 0;
  for (ssize_t n = 0; (n = ::write(fd, much.data(), much.size())) > 0;) {
    sum += static_cast<std::size_t>(n);
  }
  ::fcntl(fd, F_SETFL, 0);
  return sum;
}

void drain(int fd, std::size_t bytes) {
  std::vector<char> much(4096);
  while (bytes > 0) {
    const ssize_t n = ::read(fd, much.data(), std::min(bytes, much.size()));
    ASSERT_GT(n, 0);
    bytes -= static_cast<std::size_t>(n);
  }
}

std::span<std::byte> room() {
  static thread_local std::array<std::byte, 16> bytes;
  return bytes;
}

struct temporary_folder {
  std::string path = "/tmp/sigpp-test-XXXXXX";
  temporary_folder() { EXPECT_NE(::mkdtemp(path.data()), nullptr); }
  ~temporary_folder() { std::filesystem::remove_all(path); }
};

// One that ends when it is told to; its lock on a file is another process's.
struct child {
  std::array<int, 2> orders = make_pipe();
  std::array<int, 2> answers = make_pipe();
  pid_t pid = 0;
  explicit child(const std::function<void()>& first = [] {}) {
    pid = ::fork();
    if (pid != 0) {
      char byte = 0;
      EXPECT_EQ(::read(answers[0], &byte, 1), 1);
      return;
    }
    first();
    put(answers[1]);
    char byte = 0;
    static_cast<void>(!::read(orders[0], &byte, 1));
    ::_exit(7);
  }
  void end() const { put(orders[1]); }
};

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

template <class Wait>
scenario waits_for_a_byte(Wait wait) {
  const auto ends = make_pipe();
  return {[=] { wait(ends[0]); }, [=] { put(ends[1]); }};
}

template <class Receive>
scenario waits_for_data(Receive receive) {
  const auto ends = make_sockets();
  return {[=] { receive(ends[0]); }, [=] { put(ends[1]); }};
}

template <class Send>
scenario waits_for_room(std::array<int, 2> ends, Send send) {
  const std::size_t full = fill(ends[1]);
  return {[=] { send(ends[1]); }, [=] { drain(ends[0], full); }};
}

struct kind {
  std::string name;
  std::function<scenario()> make;
};

std::vector<kind> all_kinds() {
  const auto one = std::as_bytes(std::span("x", 1));
  std::vector<kind> all;
  const auto add = [&](const char* name, auto make) { all.push_back({name, make}); };
  add("read",
      [] { return waits_for_a_byte([](int fd) { EXPECT_EQ(sigpp::read(fd, room()), 1U); }); });
  add("readv", [] {
    return waits_for_a_byte([](int fd) {
      const iovec to{.iov_base = room().data(), .iov_len = room().size()};
      EXPECT_EQ(sigpp::readv(fd, {&to, 1}), 1U);
    });
  });
  add("poll", [] {
    return waits_for_a_byte([](int fd) {
      pollfd all_fds{.fd = fd, .events = POLLIN, .revents = 0};
      EXPECT_EQ(sigpp::poll({&all_fds, 1}), 1);
      EXPECT_EQ(all_fds.revents, POLLIN);
    });
  });
  add("ppoll", [] {
    return waits_for_a_byte([](int fd) {
      pollfd all_fds{.fd = fd, .events = POLLIN, .revents = 0};
      sigset_t none;
      sigemptyset(&none);
      EXPECT_EQ(sigpp::ppoll({&all_fds, 1}, std::nullopt, none), 1);
    });
  });
  add("select", [] {
    return waits_for_a_byte([](int fd) {
      fd_set in;
      FD_ZERO(&in);
      FD_SET(fd, &in);
      EXPECT_EQ(sigpp::select(fd + 1, &in, nullptr, nullptr), 1);
      EXPECT_TRUE(FD_ISSET(fd, &in));
    });
  });
#ifndef SIGPP_TEST_POSIX_PLATFORM
  add("epoll_wait", [] {
    return waits_for_a_byte([](int fd) {
      const int poller = ::epoll_create1(0);
      epoll_event wanted{};
      wanted.events = EPOLLIN;
      ::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted);
      std::array<epoll_event, 4> events{};
      try {
        EXPECT_EQ(sigpp::epoll_wait(poller, events), 1);
      } catch (...) {
        ::close(poller);
        throw;
      }
      ::close(poller);
    });
  });
#endif
  add("getline", [] {
    return waits_for_a_byte([](int fd) {
      sigpp::fdbuf buffer(fd);
      std::string line;
      EXPECT_TRUE(sigpp::getline(buffer, line, 'x'));
    });
  });
  add("recv",
      [] { return waits_for_data([](int fd) { EXPECT_EQ(sigpp::recv(fd, room()), 1U); }); });
  add("recvfrom", [] {
    return waits_for_data(
        [](int fd) { EXPECT_EQ(sigpp::recvfrom(fd, room(), 0, nullptr, nullptr), 1U); });
  });
  add("recvmsg", [] {
    return waits_for_data([](int fd) {
      iovec to{.iov_base = room().data(), .iov_len = room().size()};
      msghdr message{};
      message.msg_iov = &to;
      message.msg_iovlen = 1;
      EXPECT_EQ(sigpp::recvmsg(fd, message), 1U);
    });
  });
  add("write", [=] {
    return waits_for_room(make_pipe(), [=](int fd) { EXPECT_EQ(sigpp::write(fd, one), 1U); });
  });
  add("writev", [] {
    return waits_for_room(make_pipe(), [](int fd) {
      char byte = 'x';
      const iovec from{.iov_base = &byte, .iov_len = 1};
      EXPECT_EQ(sigpp::writev(fd, {&from, 1}), 1U);
    });
  });
  add("send", [=] {
    return waits_for_room(make_sockets(), [=](int fd) { EXPECT_EQ(sigpp::send(fd, one), 1U); });
  });
  add("sendto", [=] {
    return waits_for_room(make_sockets(),
                          [=](int fd) { EXPECT_EQ(sigpp::sendto(fd, one, 0, nullptr, 0), 1U); });
  });
  add("sendmsg", [] {
    return waits_for_room(make_sockets(), [](int fd) {
      char byte = 'x';
      iovec from{.iov_base = &byte, .iov_len = 1};
      msghdr message{};
      message.msg_iov = &from;
      message.msg_iovlen = 1;
      EXPECT_EQ(sigpp::sendmsg(fd, message), 1U);
    });
  });
  add("accept4", [] {
    const auto folder = std::make_shared<temporary_folder>();
    const auto address = address_of(folder->path + "/socket");
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(listener, 1);
    return scenario{
        [=] {
          const int got = sigpp::accept4(listener, nullptr, nullptr, 0);
          EXPECT_GE(got, 0);
          ::close(got);
        },
        [=, keep = folder] {
          const int to = ::socket(AF_UNIX, SOCK_STREAM, 0);
          EXPECT_EQ(::connect(to, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        }};
  });
  add("connect", [] {
    const auto folder = std::make_shared<temporary_folder>();
    const auto address = address_of(folder->path + "/socket");
    const auto* const to = reinterpret_cast<const sockaddr*>(&address);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ::bind(listener, to, sizeof address);
    ::listen(listener, 0);
    int full = 0;
    while (full == 0) {
      full = ::connect(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), to, sizeof address);
    }
    return scenario{[=] {
                      const auto* const there = reinterpret_cast<const sockaddr*>(&address);
                      const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
                      sigpp::connect(fd, there, sizeof address);
                    },
                    [=, keep = folder] { EXPECT_GE(::accept(listener, nullptr, nullptr), 0); }};
  });
  add("open", [] {
    const auto folder = std::make_shared<temporary_folder>();
    const std::string path = folder->path + "/fifo";
    ::mkfifo(path.c_str(), 0600);
    return scenario{[=] {
                      const int fd = sigpp::open(path.c_str(), O_RDONLY);
                      EXPECT_GE(fd, 0);
                      ::close(fd);
                    },
                    [=, keep = folder] { ::close(::open(path.c_str(), O_WRONLY)); }};
  });
  add("waitpid", [] {
    const auto other = std::make_shared<child>();
    return scenario{[=] {
                      const auto status = sigpp::waitpid(other->pid);
                      EXPECT_EQ(status.pid, other->pid);
                      EXPECT_EQ(support::describe_status(status.status), support::exited(7));
                    },
                    [=] { other->end(); }};
  });
  add("waitid", [] {
    const auto other = std::make_shared<child>();
    return scenario{[=] {
                      const auto id = static_cast<id_t>(other->pid);
                      const siginfo_t info = sigpp::waitid(P_PID, id, WEXITED);
                      EXPECT_EQ(info.si_pid, other->pid);
                      EXPECT_EQ(info.si_status, 7);
                    },
                    [=] { other->end(); }};
  });
  add("flock", [] {
    const auto folder = std::make_shared<temporary_folder>();
    const std::string path = folder->path + "/lock";
    const auto open_it = [=] { return ::open(path.c_str(), O_RDWR | O_CREAT, 0600); };
    const int held = open_it();
    ::flock(held, LOCK_EX);
    const int mine = open_it();
    return scenario{[=] { sigpp::flock(mine, LOCK_EX); },
                    [=, keep = folder] { ::flock(held, LOCK_UN); }};
  });
  add("fcntl_lock", [] {
    const auto folder = std::make_shared<temporary_folder>();
    const int fd = ::open((folder->path + "/lock").c_str(), O_RDWR | O_CREAT, 0600);
    const auto other = std::make_shared<child>([=] {
      struct flock whole {};
      whole.l_type = F_WRLCK;
      ::fcntl(fd, F_SETLK, &whole);
    });
    return scenario{[=] {
                      struct flock whole {};
                      whole.l_type = F_WRLCK;
                      sigpp::fcntl_lock(fd, F_SETLKW, whole);
                    },
                    [=, keep = folder] { other->end(); }};
  });
  add("mutex", [] {
    const auto m = std::make_shared<sigpp::mutex>();
    const auto holder = std::make_shared<support::worker>();
    holder->call([=] { m->lock(); });
    return scenario{[=] {
                      m->lock();
                      m->unlock();
                    },
                    [=] { holder->call([=] { m->unlock(); }); }};
  });
  add("condition_variable", [] {
    struct state {
      sigpp::mutex m;
      sigpp::condition_variable changed;
      bool ready = false;
    };
    const auto s = std::make_shared<state>();
    return scenario{[=] {
                      std::unique_lock lock(s->m);
                      try {
                        s->changed.wait(lock, [&] { return s->ready; });
                      } catch (...) {
                        EXPECT_TRUE(lock.owns_lock());
                        throw;
                      }
                      EXPECT_TRUE(lock.owns_lock());
                    },
                    [=] {
                      const std::lock_guard lock(s->m);
                      s->ready = true;
                      s->changed.notify_one();
                    }};
  });
  add("join", [] {
    const auto ends = make_pipe();
    const auto other = std::make_shared<std::thread>([=] {
      char byte = 0;
      EXPECT_EQ(::read(ends[0], &byte, 1), 1);
    });
    return scenario{[=] { sigpp::join(*other); }, [=] { put(ends[1]); }};
  });
  return all;
}

class blocking : public testing::TestWithParam<std::size_t> {
 protected:
  kind k = all_kinds()[GetParam()];
  scenario s = k.make();
};

struct stop {};

TEST_P(blocking, handlers_run_meanwhile_and_it_goes_on) {
  std::atomic<int> calls{0};
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  const pid_t self = getpid();
  std::thread other([&] {
    for (int i = 1; i <= 3; ++i) {
      wait_until_it_sleeps(self);
      ::raise(SIGUSR1);  // on this thread
      wait_until([&] { return calls == i; });
      wait_until_it_sleeps(self);
      ::kill(self, SIGUSR1);
      wait_until([&] { return calls == i + 1; });
      --calls;
    }
    wait_until_it_sleeps(self);
    s.release();
  });
  s.block();
  other.join();
}

TEST_P(blocking, what_a_handler_throws_ends_it_and_it_can_be_made_again) {
  sigpp::signal(SIGUSR1, [] { throw stop{}; });
  const pid_t self = getpid();
  std::atomic<bool> thrown{false};
  std::thread other([&] {
    wait_until_it_sleeps(self);
    ::raise(SIGUSR1);
    wait_until([&] { return thrown.load(); });
    wait_until_it_sleeps(self);
    s.release();
  });
  EXPECT_THROW(s.block(), stop);
  thrown = true;
  s.block();
  other.join();
}

TEST_P(blocking, a_signal_that_is_pending_comes_first) {
  sigpp::signal(SIGUSR1, [] { throw stop{}; });
  ::raise(SIGUSR1);
  EXPECT_THROW(s.block(), stop);
  std::thread other([&] { s.release(); });
  s.block();
  other.join();
}

TEST_P(blocking, a_timeout_ends_it_on_any_thread) {
  const auto expect_timeout = [&] {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(sigpp::with_timeout(20ms, s.block));
    EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
    EXPECT_FALSE(sigpp::with_timeout(0s, s.block));
  };
  if (k.name != "waitpid" && k.name != "waitid") std::thread(expect_timeout).join();
  expect_timeout();
  std::thread other([&] { s.release(); });
  EXPECT_TRUE(sigpp::with_timeout(1h, s.block));
  other.join();
}

TEST_P(blocking, interrupt_ends_it_on_any_thread) {
  std::atomic<pid_t> thread{0};
  std::atomic<bool> thrown{false};
  sigpp::thread_handle handle;
  std::thread blocked([&] {
    handle = sigpp::this_thread::handle();
    thread = gettid();
    EXPECT_THROW(s.block(), sigpp::interrupted);
    thrown = true;
    s.block();  // once
  });
  wait_until([&] { return thread != 0; });
  wait_until_it_sleeps(thread);
  EXPECT_TRUE(sigpp::interrupt(handle));
  wait_until([&] { return thrown.load(); });
  s.release();
  blocked.join();
  EXPECT_FALSE(sigpp::interrupt(handle)) << "it has ended";
}

TEST_P(blocking, a_stop_token_ends_it) {
  std::stop_source source;
  std::atomic<pid_t> thread{0};
  std::thread blocked([&] {
    const sigpp::stop_scope scope(source.get_token());
    thread = gettid();
    EXPECT_THROW(s.block(), sigpp::interrupted);
  });
  wait_until([&] { return thread != 0; });
  wait_until_it_sleeps(thread);
  source.request_stop();
  blocked.join();
  std::thread late([&] {
    const sigpp::stop_scope scope(source.get_token());
    EXPECT_THROW(s.block(), sigpp::interrupted) << "it was asked to stop before";
  });
  late.join();
  std::thread other([&] { s.release(); });
  s.block();
  other.join();
}

TEST_P(blocking, a_shield_holds_everything_back) {
  bool called = false;
  sigpp::signal(SIGUSR1, [&] { called = true; });
  const pid_t self = getpid();
  const auto handle = sigpp::this_thread::handle();
  std::thread other([&] {
    wait_until_it_sleeps(self);
    ::kill(self, SIGUSR1);
    ::raise(SIGUSR1);
    sigpp::interrupt(handle);
    wait_until_it_sleeps(self);
    s.release();
  });
  {
    const sigpp::timeout soon(1ns);
    const sigpp::shield shield;
    s.block();
    EXPECT_FALSE(called);
  }
  EXPECT_THROW(sigpp::check(), sigpp::interrupted);
  EXPECT_TRUE(called);
  other.join();
}

INSTANTIATE_TEST_SUITE_P(calls, blocking, testing::Range<std::size_t>(0, all_kinds().size()),
                         [](const auto& which) { return all_kinds()[which.param].name; });

TEST(blocking_errors, are_the_systems) {
  std::error_code error;
  const auto bad = std::errc::bad_file_descriptor;
  const auto bytes = std::as_bytes(std::span("x", 1));
  support::expect_system_error([&] { sigpp::read(-1, room()); }, bad, {"read", "-1"});
  support::expect_system_error([&] { sigpp::write(-1, bytes); }, bad, {"write"});
  support::expect_system_error([&] { sigpp::accept4(-1, nullptr, nullptr, 0); }, bad, {"accept4"});
  support::expect_system_error([&] { sigpp::flock(-1, LOCK_SH); }, bad, {"flock"});
  support::expect_system_error([&] { sigpp::waitpid(getpid()); }, std::errc::no_child_process,
                               {"waitpid"});
  support::expect_system_error([&] { sigpp::waitpid(-1, 0x4000); }, std::errc::invalid_argument,
                               {"waitpid"});
  support::expect_system_error([&] { sigpp::open("/nowhere/at/all", O_RDONLY); },
                               std::errc::no_such_file_or_directory, {"open", "/nowhere/at/all"});
  support::expect_system_error([&] { sigpp::select(FD_SETSIZE + 1, nullptr, nullptr, nullptr); },
                               std::errc::invalid_argument, {"select"});
  EXPECT_EQ(sigpp::read(-1, room(), error), 0U);
  EXPECT_EQ(error, bad);
  EXPECT_EQ(sigpp::accept4(-1, nullptr, nullptr, 0, error), -1);
  EXPECT_EQ(error, bad);
  EXPECT_EQ(sigpp::waitpid(getpid(), 0, error).pid, -1);
  EXPECT_EQ(error, std::errc::no_child_process);
  const auto ends = make_pipe();
  put(ends[1]);
  EXPECT_EQ(sigpp::read(ends[0], room(), error), 1U);
  EXPECT_FALSE(error);
  ::close(ends[1]);
  EXPECT_EQ(sigpp::read(ends[0], room()), 0U) << "the end of the file";
}

TEST(blocking_errors, nonblocking_descriptors_stay_so) {
  const auto ends = make_pipe();
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  std::error_code error;
  EXPECT_EQ(sigpp::read(ends[0], room(), error), 0U);
  EXPECT_EQ(error, std::errc::resource_unavailable_try_again);
  const auto sockets = make_sockets();
  EXPECT_EQ(sigpp::recv(sockets[0], room(), MSG_DONTWAIT, error), 0U);
  EXPECT_EQ(error, std::errc::resource_unavailable_try_again);
}

TEST(blocking_times, run_out_and_report_nothing) {
  const auto ends = make_pipe();
  pollfd one{.fd = ends[0], .events = POLLIN, .revents = 0};
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(sigpp::poll({&one, 1}, 0s), 0);
  EXPECT_EQ(sigpp::poll({&one, 1}, 10ms), 0);
  EXPECT_EQ(sigpp::poll({}, 10ms), 0);
  fd_set in;
  FD_ZERO(&in);
  FD_SET(ends[0], &in);
  EXPECT_EQ(
      sigpp::select(ends[0] + 1, &in, nullptr, nullptr, std::chrono::steady_clock::now() + 10ms),
      0);
  EXPECT_FALSE(FD_ISSET(ends[0], &in));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
}

// The time that is left, not the whole time anew.
TEST(blocking_times, signals_do_not_prolong_them) {
  const auto ends = make_pipe();
  pollfd one{.fd = ends[0], .events = POLLIN, .revents = 0};
  int calls = 0;
  sigpp::signal(SIGALRM, [&] { ++calls; });
  sigpp::setitimer(ITIMER_REAL, 2ms, 2ms);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(sigpp::poll({&one, 1}, 50ms), 0);
  const auto took = std::chrono::steady_clock::now() - start;
  sigpp::setitimer(ITIMER_REAL, 0s);
  EXPECT_GE(took, 50ms);
  EXPECT_LT(took, 10s);
  EXPECT_GE(calls, 2);
}

// As worker threads usually do, so that the kernel gives signals to others.
TEST(blocking_masks, a_thread_that_blocks_every_signal_hears_what_is_asked_of_it) {
  const auto ends = make_pipe();
  std::atomic<pid_t> thread{0};
  sigpp::thread_handle handle;
  std::thread worker([&] {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    EXPECT_FALSE(sigpp::with_timeout(5ms, [&] { sigpp::read(ends[0], room()); }));
    pollfd one{.fd = ends[0], .events = POLLIN, .revents = 0};
    EXPECT_FALSE(sigpp::with_timeout(5ms, [&] { sigpp::ppoll({&one, 1}, std::nullopt, all); }));
    handle = sigpp::this_thread::handle();
    thread = gettid();
    EXPECT_THROW(sigpp::read(ends[0], room()), sigpp::interrupted);
  });
  wait_until([&] { return thread != 0; });
  wait_until_it_sleeps(thread);
  sigpp::interrupt(handle);
  worker.join();
}

// The main thread's first call comes after another thread's.
TEST(blocking_masks, the_main_thread_too) {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  const auto ends = make_pipe();
  std::thread([&] {
    put(ends[1]);
    EXPECT_EQ(sigpp::read(ends[0], room()), 1U);
  }).join();
  std::thread other([&] {
    wait_until_it_sleeps(getpid());
    sigpp::call_later(0s, [&] { put(ends[1]); }).detach();
  });
  EXPECT_EQ(sigpp::read(ends[0], room()), 1U);
  other.join();
}

TEST(blocking_storm, signals_faster_than_their_handler_keep_no_call_from_being_made) {
  const auto ends = make_pipe();
  put(ends[1]);
  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR2});
  ::raise(SIGUSR2);
  sigpp::signal(SIGUSR1, [] { ::raise(SIGUSR1); });  // there is always one
  ::raise(SIGUSR1);
  EXPECT_EQ(sigpp::read(ends[0], room()), 1U);
  sigpp::check();  // which leaves the next one pending
  EXPECT_EQ(sigpp::sigwait({SIGUSR2}), SIGUSR2);
}

TEST(blocking_times, a_hang_up_is_nothing_exceptional) {
  const auto ends = make_pipe();
  ::close(ends[1]);
  fd_set except;
  FD_ZERO(&except);
  FD_SET(ends[0], &except);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(sigpp::select(ends[0] + 1, nullptr, nullptr, &except, start + 10ms), 0);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 10ms);
  EXPECT_FALSE(FD_ISSET(ends[0], &except));
}

TEST(blocking_times, hang_ups_and_rare_events_are_seen_at_once) {
  const auto sockets = make_sockets();
  pollfd one{.fd = sockets[0], .events = POLLRDHUP, .revents = 0};
  std::thread closes([&] {
    wait_until_it_sleeps(getpid());
    ::close(sockets[1]);
  });
  EXPECT_EQ(sigpp::poll({&one, 1}), 1);
  closes.join();
  const auto others = make_sockets();
  ::close(others[1]);
  pollfd urgent{.fd = others[0], .events = POLLPRI, .revents = 0};
  EXPECT_EQ(sigpp::poll({&urgent, 1}), 1);
  EXPECT_NE(urgent.revents & POLLHUP, 0);
}

TEST(blocking_results, recv_of_all_waits_for_all_or_a_signal) {
  const auto sockets = make_sockets();
  EXPECT_EQ(::write(sockets[1], "ab", 2), 2);
  std::thread rest([&] {
    wait_until_it_sleeps(getpid());
    EXPECT_EQ(::write(sockets[1], "cd", 2), 2);
  });
  EXPECT_EQ(sigpp::recv(sockets[0], room().first(4), MSG_WAITALL), 4U);
  rest.join();
  sigpp::signal(SIGUSR1, [] { throw stop{}; });
  EXPECT_EQ(::write(sockets[1], "ef", 2), 2);
  std::thread other([] {
    wait_until_it_sleeps(getpid());
    ::raise(SIGUSR1);
  });
  EXPECT_EQ(sigpp::recv(sockets[0], room().first(4), MSG_WAITALL), 2U) << "what had come";
  EXPECT_THROW(sigpp::check(), stop);
  other.join();
}

TEST(sigsuspend, lets_in_what_is_blocked_only_while_it_waits) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1});
  ::raise(SIGUSR1);
  sigpp::check();
  EXPECT_EQ(calls, 0);
  sigpp::sigsuspend({});
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(sigpp::pthread_sigmask(SIG_BLOCK, {}).contains(SIGUSR1));
  support::expect_system_error([] { sigpp::sigsuspend({32}); }, std::errc::invalid_argument,
                               {"sigsuspend"});
}

}  // namespace
