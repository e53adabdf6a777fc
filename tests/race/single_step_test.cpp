// A signal after every single instruction of a blocking call. A tracer brings a fresh child k
// instructions into the call, injects, and lets it go, for every k: what random moments hit once in
// a million trials is hit each time. A call that would block must end; a call that has taken
// something must give it.
#include <gtest/gtest.h>

#if defined(__linux__) && defined(__x86_64__)

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <sigpp/sigpp.hpp>

#include "race/single_step_scenes.hpp"

namespace tracing {
namespace {

// ---- what takes or gives one byte --------------------------------------------------------------

using make_function = two_ends (*)();

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

// A scene of `take`, which reads at most one byte, and returns how many.
prepare_function taking(make_function make, std::size_t (*take)(int fd, std::span<char> to)) {
  return [=](bool there) -> act {
    throw_on_signal();
    const two_ends ends = make();
    buffer to{};
    sigpp::write(ends.out, std::string_view("a"));
    take(ends.in, to);
    if (there) sigpp::write(ends.out, std::string_view("b"));
    return {.run =
                [=] {
                  buffer got{};
                  return take(ends.in, got) == 1 && got[0] == 'b';
                },
            .untouched = [=] { return bytes_in(ends.in) == (there ? 1 : 0); }};
  };
}

// The same of what writes one.
prepare_function giving(make_function make, std::size_t (*give)(int fd, std::span<char> from)) {
  return [=](bool room) -> act {
    throw_on_signal();
    const two_ends ends = make();
    static buffer one{'a'};
    give(ends.out, one);
    if (!room) fill(ends.out);
    const int before = bytes_in(ends.in);
    return {.run = [=] { return give(ends.out, one) == 1 && bytes_in(ends.in) == before + 1; },
            .untouched = [=] { return bytes_in(ends.in) == before; }};
  };
}

iovec vector_of(std::span<char> bytes) {
  return {.iov_base = bytes.data(), .iov_len = bytes.size()};
}

msghdr message_of(iovec& bytes) {
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  return message;
}

void add_bytes(scenes& all) {
  const auto read =
      taking(make_pipe, [](int fd, std::span<char> to) { return sigpp::read(fd, to); });
  const auto write = giving(make_pipe, [](int fd, std::span<char> from) {
    return sigpp::write(fd, std::string_view(from.data(), from.size()));
  });
  all.both("read", read);
  all.with_foreign("read", read);
  all.both("write", write);
  all.with_foreign("write", write);
  all.both("readv", taking(make_pipe, [](int fd, std::span<char> to) {
             const iovec part = vector_of(to);
             return sigpp::readv(fd, {&part, 1});
           }));
  all.both("writev", giving(make_pipe, [](int fd, std::span<char> from) {
             const iovec part = vector_of(from);
             return sigpp::writev(fd, {&part, 1});
           }));
  all.both("recv", taking(make_sockets, [](int fd, std::span<char> to) {
             return sigpp::recv(fd, std::as_writable_bytes(to));
           }));
  all.both("recvfrom", taking(make_sockets, [](int fd, std::span<char> to) {
             return sigpp::recvfrom(fd, std::as_writable_bytes(to), 0, nullptr, nullptr);
           }));
  all.both("recvmsg", taking(make_sockets, [](int fd, std::span<char> to) {
             iovec part = vector_of(to);
             msghdr message = message_of(part);
             return sigpp::recvmsg(fd, message);
           }));
  all.both("send", giving(make_sockets, [](int fd, std::span<char> from) {
             return sigpp::send(fd, std::as_bytes(from));
           }));
  all.both("sendto", giving(make_sockets, [](int fd, std::span<char> from) {
             return sigpp::sendto(fd, std::as_bytes(from), 0, nullptr, 0);
           }));
  all.both("sendmsg", giving(make_sockets, [](int fd, std::span<char> from) {
             iovec part = vector_of(from);
             return sigpp::sendmsg(fd, message_of(part));
           }));
}

// These two know no waiting.
act pread_act(bool) {
  throw_on_signal();
  const int fd = checked(memfd_create("bytes", MFD_CLOEXEC), "memfd_create");
  sigpp::write(fd, std::string_view("a"));
  const auto take = [=] {
    buffer got{};
    return sigpp::pread(fd, std::as_writable_bytes(std::span(got)), 0) == 1 && got[0] == 'a';
  };
  take();
  return {.run = take};
}

act pwrite_act(bool) {
  throw_on_signal();
  const int fd = checked(memfd_create("bytes", MFD_CLOEXEC), "memfd_create");
  const auto size = [=] { return lseek(fd, 0, SEEK_END); };
  const auto give = [=] {
    const auto at = size();
    static const buffer one{'a'};
    return sigpp::pwrite(fd, std::as_bytes(std::span(one)), at) == 1 && size() == at + 1;
  };
  give();
  return {.run = give, .untouched = [=] { return size() == 1; }};
}

// getline: a line of which half is there stays there.
act getline_act(bool there) {
  throw_on_signal();
  const two_ends ends = make_pipe();
  const auto from = std::make_shared<sigpp::fdbuf>(ends.in);
  const auto line = std::make_shared<std::string>();
  sigpp::write(ends.out, std::string_view("a\n"));
  sigpp::getline(*from, *line);
  sigpp::write(ends.out, there ? std::string_view("line\n") : std::string_view("li"));
  const auto take = [=] { return sigpp::getline(*from, *line) && *line == "line"; };
  return {.run = take, .untouched = [=] {
            if (!there) sigpp::write(ends.out, std::string_view("ne\n"));
            return take();
          }};
}

// ---- connections -------------------------------------------------------------------------------

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

// ---- waiting for descriptors -------------------------------------------------------------------

prepare_function watching(bool (*wait)(int fd)) {
  return [=](bool there) -> act {
    throw_on_signal();
    const two_ends ends = make_ready_pipe(there);
    wait(make_ready_pipe(true).in);
    return {.run = [=] { return wait(ends.in); }};
  };
}

// The mask of the call alone lets SIGUSR1 in; so the next safe point is behind its unblocking.
prepare_function watching_with_mask(bool (*wait)(int fd)) {
  return [=](bool there) -> act {
    act a = watching(wait)(there);
    sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1});
    a.later = [] {
      sigpp::pthread_sigmask(SIG_UNBLOCK, {SIGUSR1});
      sigpp::check();
    };
    return a;
  };
}

bool poll_one(int fd, const sigset_t* mask) {
  pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
  const int ready = mask == nullptr ? sigpp::poll({&one, 1})
                                    : sigpp::ppoll({&one, 1}, steady_clock::now() + 1h, *mask);
  return ready == 1 && one.revents == POLLIN;
}

bool select_one(int fd, const sigset_t* mask) {
  fd_set in;
  FD_ZERO(&in);
  FD_SET(fd, &in);
  const int ready = mask == nullptr ? sigpp::select(fd + 1, &in, nullptr, nullptr)
                                    : sigpp::pselect(fd + 1, &in, nullptr, nullptr,
                                                     steady_clock::now() + 1h, *mask);
  return ready == 1 && FD_ISSET(fd, &in);
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

void add_watching(scenes& all) {
  const auto poll = watching([](int fd) { return poll_one(fd, nullptr); });
  all.both("poll", poll);
  all.with_foreign("poll", poll);
  all.both("select", watching([](int fd) { return select_one(fd, nullptr); }));
  const auto ppoll = watching_with_mask([](int fd) {
    const sigset_t mask = only(SIGUSR2);
    return poll_one(fd, &mask);
  });
  all.both("ppoll_with_mask", ppoll);
  all.with_foreign("ppoll_with_mask", ppoll);
  all.both("pselect_with_mask", watching_with_mask([](int fd) {
             const sigset_t mask = only(SIGUSR2);
             return select_one(fd, &mask);
           }));
#ifndef SIGPP_TEST_POSIX_PLATFORM
  all.both("epoll_wait", epoll_act);  // there is none elsewhere
#endif
}

// ---- children, files, locks --------------------------------------------------------------------

// A scene of `wait`, which tells whether the child has exited with 5.
prepare_function waiting_for_child(bool (*wait)(pid_t)) {
  return [=](bool ended) -> act {
    throw_on_signal();
    const pid_t child = fork_helper([=] {
      if (!ended) ::pause();
    });
    if (ended) {
      siginfo_t info{};
      checked(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), "waitid");
    }
    wait(fork_helper([] {}));
    return {.run = [=] { return wait(child); },
            .untouched = [=] { return ::waitpid(child, nullptr, WNOHANG) == (ended ? child : 0); }};
  };
}

// The FIFO has no name any more when the call is made: so nothing is left of it.
act open_act(bool other_side) {
  throw_on_signal();
  std::string folder = testing::TempDir() + "sigppXXXXXX";
  if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no folder");
  const std::string name = folder + "/fifo";
  checked(mkfifo(name.c_str(), 0600), "mkfifo");
  const int fifo = checked(::open(name.c_str(), O_PATH), "open");
  ::unlink(name.c_str());
  ::rmdir(folder.c_str());
  const std::string path = "/proc/self/fd/" + std::to_string(fifo);
  // Reading and writing: that waits for nobody. It is the other side then.
  const int both = sigpp::open(path.c_str(), O_RDWR);
  if (!other_side) ::close(both);
  return {.run = [=] { return sigpp::open(path.c_str(), O_RDONLY | O_CLOEXEC) >= 0; }};
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

// A file whose first byte the tracer has locked.
int locked_file() {
  static const int fd = memfd_create("locks", MFD_CLOEXEC);
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

// ---- all of them -------------------------------------------------------------------------------

scenes all_scenes() {
  struct flock lock = lock_of_byte(0);
  checked(fcntl(locked_file(), F_SETLK, &lock), "fcntl");
  scenes all;
  add_bytes(all);
  all.completes("pread", pread_act);
  all.completes("pwrite", pwrite_act);
  all.both("getline", getline_act);
  all.both("accept4", accept_act);
  all.both("connect", connect_act);
  add_watching(all);
  const auto waitpid = waiting_for_child([](pid_t child) {
    const auto got = sigpp::waitpid(child);
    return got.pid == child && WIFEXITED(got.status) && WEXITSTATUS(got.status) == 5;
  });
  all.both("waitpid", waitpid);
  all.with_foreign("waitpid", waitpid);
  all.both("waitid", waiting_for_child([](pid_t child) {
             const auto got = sigpp::waitid(P_PID, static_cast<id_t>(child), WEXITED);
             return got.si_pid == child && got.si_code == CLD_EXITED && got.si_status == 5;
           }));
  all.both("open_fifo", open_act);
  all.both("flock", flock_act);
  all.both("fcntl_lock", fcntl_act);
  return all;
}

INSTANTIATE_TEST_SUITE_P(call, single_step, all_scenes().values(), name_of);

}  // namespace
}  // namespace tracing

#else

TEST(single_step, needs_linux_on_x86_64) { GTEST_SKIP(); }

#endif
