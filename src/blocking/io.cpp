#include <sigpp/io.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <vector>

#include "blocking/until_done.hpp"
#include "errors.hpp"

namespace sigpp::inline v1 {

namespace {

using blocking::until_done;
using blocking::word;

long result_of(long result, std::error_code& error) noexcept {
  error.clear();
  if (result >= 0) return result;
  error.assign(static_cast<int>(-result), std::generic_category());
  return 0;
}

std::size_t size_of(long result, std::error_code& error) noexcept {
  return static_cast<std::size_t>(result_of(result, error));
}

int number_of(long result, std::error_code& error) noexcept {
  result_of(result, error);
  return result < 0 ? -1 : static_cast<int>(result);
}

void throw_if(const std::error_code& error, const char* function, int fd) {
  if (error) throw_errno(error.value(), function, "descriptor " + std::to_string(fd));
}

// Nothing that is called through a table, where all goes well: see calls.hpp.
long checked(long result, const char* function, int fd) {
  if (result >= 0) [[likely]]
    return result;
  throw_errno(static_cast<int>(-result), function, "descriptor " + std::to_string(fd));
}

int iovecs(std::size_t count) noexcept {
  return static_cast<int>(std::min<std::size_t>(count, INT_MAX));
}

}  // namespace

std::size_t read(int fd, std::span<std::byte> to, std::error_code& error) {
  return size_of(
      until_done([&](const word& w) { return blocking::read(w, fd, to.data(), to.size()); }),
      error);
}

long blocking::read_slowly(long fd, long to, long bytes, long result) {
  const int descriptor = static_cast<int>(fd);
  if (result == -EINTR) {
    result = until_done([&](const word& w) {
      return read(w, descriptor, reinterpret_cast<void*>(to), static_cast<std::size_t>(bytes));
    });
  }
  return checked(result, "read", descriptor);
}

std::size_t read(int fd, std::span<std::byte> to) {
  return static_cast<std::size_t>(blocking::read_at_once(fd, to.data(), to.size()));
}

std::size_t write(int fd, std::span<const std::byte> from, std::error_code& error) {
  return size_of(
      until_done([&](const word& w) { return blocking::write(w, fd, from.data(), from.size()); }),
      error);
}

long blocking::write_slowly(long fd, long from, long bytes, long result) {
  const int descriptor = static_cast<int>(fd);
  if (result == -EINTR) {
    result = until_done([&](const word& w) {
      return write(w, descriptor, reinterpret_cast<const void*>(from),
                   static_cast<std::size_t>(bytes));
    });
  }
  return checked(result, "write", descriptor);
}

std::size_t write(int fd, std::span<const std::byte> from) {
  return static_cast<std::size_t>(blocking::write_at_once(fd, from.data(), from.size()));
}

std::size_t readv(int fd, std::span<const iovec> to, std::error_code& error) {
  return size_of(until_done([&](const word& w) {
                   return blocking::readv(w, fd, to.data(), iovecs(to.size()));
                 }),
                 error);
}

std::size_t readv(int fd, std::span<const iovec> to) {
  return static_cast<std::size_t>(checked(until_done([&](const word& w) {
                                            return blocking::readv(w, fd, to.data(),
                                                                   iovecs(to.size()));
                                          }),
                                          "readv", fd));
}

std::size_t writev(int fd, std::span<const iovec> from, std::error_code& error) {
  return size_of(until_done([&](const word& w) {
                   return blocking::writev(w, fd, from.data(), iovecs(from.size()));
                 }),
                 error);
}

std::size_t writev(int fd, std::span<const iovec> from) {
  return static_cast<std::size_t>(checked(until_done([&](const word& w) {
                                            return blocking::writev(w, fd, from.data(),
                                                                    iovecs(from.size()));
                                          }),
                                          "writev", fd));
}

std::size_t pread(int fd, std::span<std::byte> to, off_t offset, std::error_code& error) {
  return size_of(until_done([&](const word& w) {
                   return blocking::pread(w, fd, to.data(), to.size(), offset);
                 }),
                 error);
}

std::size_t pread(int fd, std::span<std::byte> to, off_t offset) {
  return static_cast<std::size_t>(checked(until_done([&](const word& w) {
                                            return blocking::pread(w, fd, to.data(), to.size(),
                                                                   offset);
                                          }),
                                          "pread", fd));
}

std::size_t pwrite(int fd, std::span<const std::byte> from, off_t offset, std::error_code& error) {
  return size_of(until_done([&](const word& w) {
                   return blocking::pwrite(w, fd, from.data(), from.size(), offset);
                 }),
                 error);
}

std::size_t pwrite(int fd, std::span<const std::byte> from, off_t offset) {
  return static_cast<std::size_t>(checked(until_done([&](const word& w) {
                                            return blocking::pwrite(w, fd, from.data(), from.size(),
                                                                    offset);
                                          }),
                                          "pwrite", fd));
}

std::size_t recv(int socket, std::span<std::byte> to, int flags, std::error_code& error) {
  return size_of(until_done([&](const word& w) {
                   return blocking::recvfrom(w, socket, to.data(), to.size(), flags, nullptr,
                                             nullptr);
                 }),
                 error);
}

std::size_t recv(int socket, std::span<std::byte> to, int flags) {
  return static_cast<std::size_t>(
      checked(until_done([&](const word& w) {
                return blocking::recvfrom(w, socket, to.data(), to.size(), flags, nullptr, nullptr);
              }),
              "recv", socket));
}

std::size_t recvfrom(int socket, std::span<std::byte> to, int flags, sockaddr* from,
                     socklen_t* length, std::error_code& error) {
  return size_of(until_done([&](const word& w) {
                   return blocking::recvfrom(w, socket, to.data(), to.size(), flags, from, length);
                 }),
                 error);
}

std::size_t recvfrom(int socket, std::span<std::byte> to, int flags, sockaddr* from,
                     socklen_t* length) {
  return static_cast<std::size_t>(
      checked(until_done([&](const word& w) {
                return blocking::recvfrom(w, socket, to.data(), to.size(), flags, from, length);
              }),
              "recvfrom", socket));
}

std::size_t recvmsg(int socket, msghdr& message, int flags, std::error_code& error) {
  return size_of(
      until_done([&](const word& w) { return blocking::recvmsg(w, socket, &message, flags); }),
      error);
}

std::size_t recvmsg(int socket, msghdr& message, int flags) {
  return static_cast<std::size_t>(checked(
      until_done([&](const word& w) { return blocking::recvmsg(w, socket, &message, flags); }),
      "recvmsg", socket));
}

std::size_t send(int socket, std::span<const std::byte> from, int flags, std::error_code& error) {
  return size_of(until_done([&](const word& w) {
                   return blocking::sendto(w, socket, from.data(), from.size(), flags, nullptr, 0);
                 }),
                 error);
}

std::size_t send(int socket, std::span<const std::byte> from, int flags) {
  return static_cast<std::size_t>(checked(until_done([&](const word& w) {
                                            return blocking::sendto(w, socket, from.data(),
                                                                    from.size(), flags, nullptr, 0);
                                          }),
                                          "send", socket));
}

std::size_t sendto(int socket, std::span<const std::byte> from, int flags, const sockaddr* to,
                   socklen_t length, std::error_code& error) {
  return size_of(until_done([&](const word& w) {
                   return blocking::sendto(w, socket, from.data(), from.size(), flags, to, length);
                 }),
                 error);
}

std::size_t sendto(int socket, std::span<const std::byte> from, int flags, const sockaddr* to,
                   socklen_t length) {
  return static_cast<std::size_t>(checked(until_done([&](const word& w) {
                                            return blocking::sendto(w, socket, from.data(),
                                                                    from.size(), flags, to, length);
                                          }),
                                          "sendto", socket));
}

std::size_t sendmsg(int socket, const msghdr& message, int flags, std::error_code& error) {
  return size_of(
      until_done([&](const word& w) { return blocking::sendmsg(w, socket, &message, flags); }),
      error);
}

std::size_t sendmsg(int socket, const msghdr& message, int flags) {
  return static_cast<std::size_t>(checked(
      until_done([&](const word& w) { return blocking::sendmsg(w, socket, &message, flags); }),
      "sendmsg", socket));
}

int accept4(int socket, sockaddr* from, socklen_t* length, int flags, std::error_code& error) {
  return number_of(
      until_done([&](const word& w) { return blocking::accept(w, socket, from, length, flags); }),
      error);
}

int accept4(int socket, sockaddr* from, socklen_t* length, int flags) {
  return static_cast<int>(checked(
      until_done([&](const word& w) { return blocking::accept(w, socket, from, length, flags); }),
      "accept4", socket));
}

void connect(int socket, const sockaddr* to, socklen_t length, std::error_code& error) {
  bool begun = false;  // and interrupted: the second call may find it done
  const long result = until_done([&](const word& w) -> long {
    const long once = blocking::connect(w, socket, to, length);
    if (begun && once == -EISCONN) return 0;
    begun = begun || once == -EINTR;
    return once;
  });
  result_of(result, error);
}

void connect(int socket, const sockaddr* to, socklen_t length) {
  std::error_code error;
  connect(socket, to, length, error);
  throw_if(error, "connect", socket);
}

int open(const char* path, int flags, mode_t mode, std::error_code& error) {
  return number_of(until_done([&](const word& w) { return blocking::open(w, path, flags, mode); }),
                   error);
}

int open(const char* path, int flags, mode_t mode) {
  std::error_code error;
  const int fd = open(path, flags, mode, error);
  if (error) throw_errno(error.value(), "open", std::string("\"") + path + "\"");
  return fd;
}

int detail::poll_until(std::span<pollfd> all, time_limit until, const sigset_t* mask,
                       std::error_code* error) {
  sigset_t during;
  if (mask != nullptr) {
    during = *mask;
    sigdelset(&during, SIGPP_DOORBELL_SIGNAL);
    mask = &during;
  }
  std::error_code own;
  std::error_code& to = error != nullptr ? *error : own;
  const int ready = number_of(until_done([&](const word& w) {
                                return blocking::poll(w, all.data(), all.size(), until, mask);
                              }),
                              to);
  if (error == nullptr && own)
    throw_errno(own.value(), "poll", std::to_string(all.size()) + " descriptors");
  return ready;
}

// By poll: one way to wait is enough.
int detail::select_until(int count, fd_set* in, fd_set* out, fd_set* except, time_limit until,
                         const sigset_t* mask, std::error_code* error) {
  std::vector<pollfd> all;
  const auto has = [](int fd, fd_set* set) { return set != nullptr && FD_ISSET(fd, set); };
  const bool bad = count < 0 || count > FD_SETSIZE;
  for (int fd = 0; !bad && fd < count; ++fd) {
    short events = 0;
    if (has(fd, in)) events |= POLLIN;
    if (has(fd, out)) events |= POLLOUT;
    if (has(fd, except)) events |= POLLPRI;
    if (events != 0) all.push_back({.fd = fd, .events = events, .revents = 0});
  }
  std::error_code own;
  int ready = 0;
  if (bad) {
    own = std::make_error_code(std::errc::invalid_argument);
  } else {
    // A hang-up is nothing that `except` tells of, but poll always does.
    bool hung_up = true;
    while (hung_up) {
      hung_up = false;
      ready = poll_until(all, until, mask, &own);
      for (pollfd& one : all) {
        if (ready <= 0 || one.events != POLLPRI) continue;
        if ((one.revents & (POLLHUP | POLLERR)) == 0 || (one.revents & POLLPRI) != 0) continue;
        one.fd = -1;
        hung_up = --ready == 0;
      }
    }
  }
  for (const pollfd& one : all) {
    if ((one.revents & POLLNVAL) != 0) own = std::make_error_code(std::errc::bad_file_descriptor);
  }
  if (error != nullptr) *error = own;
  if (own) {
    if (error == nullptr)
      throw_errno(own.value(), "select", std::to_string(count) + " descriptors");
    return -1;
  }
  ready = 0;
  for (fd_set* set : {in, out, except}) {
    if (set != nullptr) FD_ZERO(set);
  }
  const auto tell = [&](const pollfd& one, short asked, short events, fd_set* set) {
    if ((one.events & asked) == 0 || (one.revents & events) == 0) return;
    FD_SET(one.fd, set);
    ++ready;
  };
  for (const pollfd& one : all) {
    tell(one, POLLIN, POLLIN | POLLHUP | POLLERR, in);
    tell(one, POLLOUT, POLLOUT | POLLERR, out);
    tell(one, POLLPRI, POLLPRI, except);
  }
  return ready;
}

int detail::epoll_until(int fd, std::span<epoll_event> events, time_limit until,
                        std::error_code* error) {
  std::error_code own;
  std::error_code& to = error != nullptr ? *error : own;
  int ready = 0;
  do {  // it counts milliseconds, up to 24 days; and another thread may have taken the events
    ready =
        number_of(until_done([&](const word& w) {
                    return blocking::epoll_wait(w, fd, events.data(), iovecs(events.size()), until);
                  }),
                  to);
  } while (ready == 0 && (!until || std::chrono::steady_clock::now() < *until));
  if (error == nullptr) throw_if(own, "epoll_wait", fd);
  return ready;
}

}  // namespace sigpp::inline v1
