// Without the stub. Every signal is blocked between the look at attention and the wait, which lets
// them in in one step; then a call that does not block. Calls that no wait can stand for are
// repeated, 10 ms apart,
// and a futex is looked at every 1 ms.
#include <sys/file.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <thread>
#include <utility>
#include <vector>

#include <sigpp/check.hpp>

#include "blocking/calls.hpp"
#include "mask.hpp"
#include "platform/platform.hpp"

namespace sigpp::inline v1::blocking {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr nanoseconds look_again = 10ms;

long errors(long result) noexcept { return result < 0 ? -errno : result; }

// Until a handler has run, attention is raised, or so much time has passed: -EINTR, or 0.
long wait(const word& attention, nanoseconds most) {
  const detail::all_blocked guard;
  if (attention.load() != 0) return -EINTR;
  sigset_t during = guard.mask();
  sigdelset(&during, SIGPP_DOORBELL_SIGNAL);
  return platform::wait_for_handler(during, most) ? -EINTR : 0;
}

// poll with a mask, of which POSIX.1-2008 has only pselect: descriptors up to FD_SETSIZE. For
// others, and for what pselect does not know, short sleeps.
long poll_once(const word& attention, pollfd* all, nfds_t count, deadline until,
               const sigset_t* mask) {
  nanoseconds pause = 50us;
  for (;;) {
    const int ready = ::poll(all, count, 0);
    if (ready != 0) return errors(ready);
    nanoseconds left = pause;
    if (until) {
      left = std::min<nanoseconds>(left, *until - steady_clock::now());
      if (left <= nanoseconds::zero()) return 0;
    }
    const detail::all_blocked guard;
    if (attention.load() != 0) return -EINTR;
    sigset_t during = mask != nullptr ? *mask : guard.mask();
    sigdelset(&during, SIGPP_DOORBELL_SIGNAL);
    fd_set in;
    fd_set out;
    fd_set except;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    int highest = -1;
    bool all_fit = true;
    for (nfds_t i = 0; i < count; ++i) {
      const int fd = all[i].fd;
      if (fd < 0) continue;
      const int known = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLPRI | POLLRDBAND;
      const int ends_too = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;  // select knows no hang-up
      const int asked = all[i].events;
      if (fd >= FD_SETSIZE || (asked & ~known) != 0 || (asked & ends_too) == 0) {
        all_fit = false;
        continue;
      }
      if ((all[i].events & (POLLIN | POLLRDNORM)) != 0) FD_SET(fd, &in);
      if ((all[i].events & (POLLOUT | POLLWRNORM)) != 0) FD_SET(fd, &out);
      if ((all[i].events & (POLLPRI | POLLRDBAND)) != 0) FD_SET(fd, &except);
      highest = std::max(highest, fd);
    }
    if (all_fit) {
      left = until ? std::max<nanoseconds>(*until - steady_clock::now(), {}) : nanoseconds(1h);
    }
    const timespec limit{.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000),
                         .tv_nsec = static_cast<long>(left.count() % 1'000'000'000)};
    if (pselect(highest + 1, &in, &out, &except, &limit, &during) < 0) return -errno;
    pause = std::min(pause * 2, look_again);
  }
}

// Ready, or an error that the call itself will report. Files of the disk always are.
long wait_for(const word& attention, int fd, short events) {
  pollfd one{.fd = fd, .events = events, .revents = 0};
  const long ready = poll_once(attention, &one, 1, std::nullopt, nullptr);
  return ready < 0 ? ready : 0;
}

// Between the wait and the call somebody else may take what was ready, and the call blocks until
// there is more. Sockets know MSG_DONTWAIT.
template <class Call>
long when_ready(const word& attention, int fd, short events, Call call) {
  const long ready = wait_for(attention, fd, events);
  return ready < 0 ? ready : errors(call());
}

bool is_nonblocking(int fd) noexcept { return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

template <class Call>
long repeat_until_ready(const word& attention, int fd, short events, int flags, Call call) {
  if (attention.load() != 0) return -EINTR;
  for (;;) {
    const long result = errors(call());
    const bool waits = result == -EAGAIN || result == -EWOULDBLOCK;
    if (!waits || (flags & MSG_DONTWAIT) != 0 || is_nonblocking(fd)) return result;
    const long ready = wait_for(attention, fd, events);
    if (ready < 0) return ready;
  }
}

template <class Call>
long repeat(const word& attention, Call call) {
  for (nanoseconds pause = 50us;; pause = std::min(pause * 2, look_again)) {
    if (attention.load() != 0) return -EINTR;
    const long result = call();
    if (result != -EAGAIN && result != -EACCES) return result;
    const long woken = wait(attention, pause);
    if (woken < 0 && attention.load() != 0) return woken;  // else it was for others
  }
}

// Several threads may wait for one listener, and each connection is ready for all of them: so one
// after another looks again and takes it. Not a lock: it would stay held in a child that another
// thread forks meanwhile.
long accept_in_turn(const word& attention, int fd, sockaddr* from, socklen_t* length, int flags) {
  static constinit std::atomic<pid_t> accepting{0};
  struct turn {
    ~turn() { accepting.store(0); }
  };
  for (;;) {
    const long ready = wait_for(attention, fd, POLLIN);
    if (ready < 0) return ready;
    const pid_t process = getpid();
    pid_t holder = accepting.load();
    if (holder == process || !accepting.compare_exchange_strong(holder, process)) {
      const long woken = wait(attention, 50us);
      if (woken < 0) return woken;
      continue;
    }
    const turn mine;
    pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&one, 1, 0) == 0) continue;
    return errors(platform::accept_with(fd, from, length, flags));
  }
}

// A blocking write of more than there is room for would go on until all is written.
long write_some(int fd, const void* from, std::size_t bytes) {
  return errors(::write(fd, from, std::min<std::size_t>(bytes, PIPE_BUF)));
}

long connect_by_polling(const word& attention, int fd, const sockaddr* to, socklen_t length) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  if ((flags & O_NONBLOCK) != 0) return errors(::connect(fd, to, length));
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  // Local sockets whose listener has no room say EAGAIN.
  long result = repeat(attention, [&] { return errors(::connect(fd, to, length)); });
  if (result == -EINPROGRESS || result == -EALREADY) {
    result = wait_for(attention, fd, POLLOUT);
    if (result == 0) {
      int error = 0;
      socklen_t size = sizeof error;
      result = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? -errno : -error;
    }
  }
  fcntl(fd, F_SETFL, flags);
  return result;
}

// For reading there is no open that waits for a writer and can be ended. So another thread does it;
// to end that, this one is the writer for a moment. A writer that comes at that very moment finds
// no reader.
long open_to_read(const word& attention, const char* path, int flags) {
  std::atomic<long> opened{-EAGAIN};
  std::thread waits;
  {
    const detail::all_blocked guard;
    waits = std::thread([&] { opened = errors(::open(path, flags)); });
  }
  const long interrupted =
      repeat(attention, [&]() -> long { return opened == -EAGAIN ? -EAGAIN : 0; });
  while (opened == -EAGAIN) {
    const int writer = ::open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (writer < 0) std::this_thread::yield();  // it has not come to wait yet
    while (writer >= 0 && opened == -EAGAIN) std::this_thread::yield();
    if (writer >= 0) ::close(writer);
  }
  waits.join();
  if (interrupted == 0 || opened < 0) return opened;
  ::close(static_cast<int>(opened));
  return interrupted;
}

// Only that of a FIFO blocks.
long open_by_polling(const word& attention, const char* path, int flags, mode_t mode) {
  struct stat file {};
  const bool blocks =
      (flags & O_NONBLOCK) == 0 && ::stat(path, &file) == 0 && S_ISFIFO(file.st_mode);
  const int access = flags & O_ACCMODE;
  if (!blocks || access == O_RDWR) return errors(::open(path, flags, mode));
  if (access == O_RDONLY) return open_to_read(attention, path, flags);
  const long fd = repeat(attention, [&]() -> long {
    const long once = errors(::open(path, flags | O_NONBLOCK));
    return once == -ENXIO ? -EAGAIN : once;
  });
  if (fd >= 0) ::fcntl(static_cast<int>(fd), F_SETFL, flags & ~O_NONBLOCK);
  return fd;
}

long wait_for_child(const word& attention, idtype_t type, id_t id, siginfo_t* info, int options) {
  if ((options & WNOHANG) != 0) return errors(::waitid(type, id, info, options));
  return repeat(attention, [&]() -> long {
    info->si_pid = 0;
    const long result = errors(::waitid(type, id, info, options | WNOHANG));
    return result == 0 && info->si_pid == 0 ? -EAGAIN : result;
  });
}

// F_SETLKW and what else waits, as what does not.
int without_waiting(int command) noexcept {
#if defined(F_OFD_SETLKW)
  if (command == F_OFD_SETLKW) return F_OFD_SETLK;
#endif
  return command == F_SETLKW ? F_SETLK : command;
}

}  // namespace

constinit const calls by_polling{
    .read =
        [](const word& w, int fd, void* to, std::size_t bytes) {
          if (is_nonblocking(fd)) return errors(::read(fd, to, bytes));
          return when_ready(w, fd, POLLIN, [&] { return ::read(fd, to, bytes); });
        },
    .write =
        [](const word& w, int fd, const void* from, std::size_t bytes) {
          if (is_nonblocking(fd)) return errors(::write(fd, from, bytes));
          const long ready = wait_for(w, fd, POLLOUT);
          return ready < 0 ? ready : write_some(fd, from, bytes);
        },
    .readv =
        [](const word& w, int fd, const iovec* to, int count) {
          if (is_nonblocking(fd)) return errors(::readv(fd, to, count));
          return when_ready(w, fd, POLLIN, [&] { return ::readv(fd, to, count); });
        },
    .writev = [](const word& w, int fd, const iovec* from, int count) -> long {
      if (is_nonblocking(fd)) return errors(::writev(fd, from, count));
      const long ready = wait_for(w, fd, POLLOUT);
      if (ready < 0) return ready;
      const auto some =
          std::find_if(from, from + count, [](const iovec& v) { return v.iov_len != 0; });
      if (some == from + count) return errors(::writev(fd, from, count));
      return write_some(fd, some->iov_base, some->iov_len);
    },
    .pread = [](const word& w, int fd, void* to, std::size_t bytes, off_t at) -> long {
      return w.load() != 0 ? -EINTR : errors(::pread(fd, to, bytes, at));
    },
    .pwrite = [](const word& w, int fd, const void* from, std::size_t bytes, off_t at) -> long {
      return w.load() != 0 ? -EINTR : errors(::pwrite(fd, from, bytes, at));
    },
    .recvfrom = [](const word& w, int fd, void* to, std::size_t bytes, int flags, sockaddr* from,
                   socklen_t* length) -> long {
      long sum = 0;
      for (;;) {
        const auto got = static_cast<std::size_t>(sum);
        const long result = repeat_until_ready(w, fd, POLLIN, flags, [&] {
          return ::recvfrom(fd, static_cast<char*>(to) + got, bytes - got, flags | MSG_DONTWAIT,
                            from, length);
        });
        if (result <= 0) return sum > 0 ? sum : result;
        sum += result;
        if ((flags & MSG_WAITALL) == 0 || static_cast<std::size_t>(sum) == bytes) return sum;
      }
    },
    .recvmsg =
        [](const word& w, int fd, msghdr* message, int flags) {
          return repeat_until_ready(w, fd, POLLIN, flags,
                                    [&] { return ::recvmsg(fd, message, flags | MSG_DONTWAIT); });
        },
    .sendto =
        [](const word& w, int fd, const void* from, std::size_t bytes, int flags,
           const sockaddr* to, socklen_t length) {
          return repeat_until_ready(w, fd, POLLOUT, flags, [&] {
            return ::sendto(fd, from, bytes, flags | MSG_DONTWAIT, to, length);
          });
        },
    .sendmsg =
        [](const word& w, int fd, const msghdr* message, int flags) {
          return repeat_until_ready(w, fd, POLLOUT, flags,
                                    [&] { return ::sendmsg(fd, message, flags | MSG_DONTWAIT); });
        },
    .accept = [](const word& w, int fd, sockaddr* from, socklen_t* length, int flags) -> long {
      return is_nonblocking(fd) ? errors(platform::accept_with(fd, from, length, flags))
                                : accept_in_turn(w, fd, from, length, flags);
    },
    .connect = connect_by_polling,
    .poll = poll_once,
    .epoll_wait = [](const word& w, int fd, void* events, int count, deadline until) -> long {
      pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
      const long ready = poll_once(w, &one, 1, until, nullptr);
      return ready <= 0 ? ready : errors(platform::epoll_now(fd, events, count));
    },
    .wait_child = [](const word& w, idtype_t type, id_t id, siginfo_t* info,
                     int options) { return wait_for_child(w, type, id, info, options); },
    .open = open_by_polling,
    .flock =
        [](const word& w, int fd, int operation) {
          if ((operation & LOCK_NB) != 0) return errors(::flock(fd, operation));
          return repeat(w, [&] { return errors(::flock(fd, operation | LOCK_NB)); });
        },
    .lock =
        [](const word& w, int fd, int command, struct flock* lock) {
          const int once = without_waiting(command);
          if (once == command) return errors(::fcntl(fd, command, lock));
          return repeat(w, [&] { return errors(::fcntl(fd, once, lock)); });
        },
    .futex_wait = [](const word& w, const std::atomic<std::uint32_t>& value, std::uint32_t expected,
                     deadline until) -> long {
      if (value.load() != expected) return -EAGAIN;
      if (until && steady_clock::now() >= *until) return -ETIMEDOUT;
      return wait(w, 1ms);
    },
    .futex_wake = [](const std::atomic<std::uint32_t>&, int) {},
};

}  // namespace sigpp::inline v1::blocking
