// Every blocking call in a situation in which it blocks, and what ends that.
#pragma once

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
#include <sigpp/sigpp.hpp>
#include <string>
#include <thread>
#include <vector>
#include "support/support.hpp"
#include "support/worker.hpp"

namespace blocking_scenarios {

using namespace std::chrono_literals;
using support::wait_until;
using support::wait_until_it_sleeps;

// Something that blocks until release() is called, by another thread.
struct scenario {
  std::function<void()> block;
  std::function<void()> release;
};

inline std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  return ends;
}

inline std::array<int, 2> make_sockets(int type = SOCK_STREAM) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, type, 0, ends.data()), 0);
  return ends;
}

inline void put(int fd) { EXPECT_EQ(::write(fd, "x", 1), 1); }

// Returns how much there is in it.
inline std::size_t fill(int fd) {
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  const std::vector<char> much(4096);
  std::size_t sum = 0;
  for (ssize_t n = 0; (n = ::write(fd, much.data(), much.size())) > 0;) {
    sum += static_cast<std::size_t>(n);
  }
  ::fcntl(fd, F_SETFL, 0);
  return sum;
}

inline void drain(int fd, std::size_t bytes) {
  std::vector<char> much(4096);
  while (bytes > 0) {
    const ssize_t n = ::read(fd, much.data(), std::min(bytes, much.size()));
    ASSERT_GT(n, 0);
    bytes -= static_cast<std::size_t>(n);
  }
}

inline std::span<std::byte> room() {
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

inline sockaddr_un address_of(const std::string& path) {
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

inline std::vector<kind> all_kinds() {
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

}  // namespace blocking_scenarios
