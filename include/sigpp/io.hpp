// Blocking calls that signals, timeouts and interrupt() always end: files, sockets, descriptors.
//
// For all of them:
// - Each is a safe point. Handlers of signals that come meanwhile run on time, then the call
//   goes on (Python: PEP 475); if one throws, or a timeout is over, or the thread is interrupted,
//   the exception leaves the call. What comes at any instant around the call is never slept
//   through, whatever thread the kernel gives it to.
// - Nothing is lost: a call that has had an effect returns its result, and the handler runs at
//   the next safe point. So an exception means that nothing was read, written, taken or accepted.
// - Under a shield, and while an exception unwinds, they are plain calls that EINTR does not end.
// - Arguments and results are POSIX's; std::system_error has the errno, which is never EINTR.
//   The form with std::error_code& stores the error and returns 0, or -1 where 0 is a descriptor
//   or a process; what handlers throw is still thrown.
// - Threads: any. Not async-signal-safe. docs/reference/blocking-calls.md says how each is done.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include <sigpp/duration.hpp>
#include <sigpp/export.hpp>

struct epoll_event;

namespace sigpp::inline v1 {

/// Reads what there is, at most the size of `to`; 0 at the end. Python: os.read. POSIX: read.
SIGPP_EXPORT std::size_t read(int fd, std::span<std::byte> to);
SIGPP_EXPORT std::size_t read(int fd, std::span<std::byte> to, std::error_code& error);
inline std::size_t read(int fd, std::span<char> to) { return read(fd, std::as_writable_bytes(to)); }
inline std::size_t read(int fd, std::span<char> to, std::error_code& error) {
  return read(fd, std::as_writable_bytes(to), error);
}

/// Writes, perhaps not all of it: what a signal interrupts returns what was written. Python:
/// os.write. POSIX: write.
SIGPP_EXPORT std::size_t write(int fd, std::span<const std::byte> from);
SIGPP_EXPORT std::size_t write(int fd, std::span<const std::byte> from, std::error_code& error);
inline std::size_t write(int fd, std::string_view from) {
  return write(fd, std::as_bytes(std::span(from)));
}
inline std::size_t write(int fd, std::string_view from, std::error_code& error) {
  return write(fd, std::as_bytes(std::span(from)), error);
}

/// POSIX: readv, writev.
SIGPP_EXPORT std::size_t readv(int fd, std::span<const iovec> to);
SIGPP_EXPORT std::size_t readv(int fd, std::span<const iovec> to, std::error_code& error);
SIGPP_EXPORT std::size_t writev(int fd, std::span<const iovec> from);
SIGPP_EXPORT std::size_t writev(int fd, std::span<const iovec> from, std::error_code& error);

/// POSIX: pread, pwrite.
SIGPP_EXPORT std::size_t pread(int fd, std::span<std::byte> to, off_t offset);
SIGPP_EXPORT std::size_t pread(int fd, std::span<std::byte> to, off_t offset,
                               std::error_code& error);
SIGPP_EXPORT std::size_t pwrite(int fd, std::span<const std::byte> from, off_t offset);
SIGPP_EXPORT std::size_t pwrite(int fd, std::span<const std::byte> from, off_t offset,
                                std::error_code& error);

/// POSIX: recv, recvfrom, recvmsg. MSG_WAITALL: what a signal interrupts returns what has come.
SIGPP_EXPORT std::size_t recv(int socket, std::span<std::byte> to, int flags = 0);
SIGPP_EXPORT std::size_t recv(int socket, std::span<std::byte> to, int flags,
                              std::error_code& error);
SIGPP_EXPORT std::size_t recvfrom(int socket, std::span<std::byte> to, int flags, sockaddr* from,
                                  socklen_t* length);
SIGPP_EXPORT std::size_t recvfrom(int socket, std::span<std::byte> to, int flags, sockaddr* from,
                                  socklen_t* length, std::error_code& error);
SIGPP_EXPORT std::size_t recvmsg(int socket, msghdr& message, int flags = 0);
SIGPP_EXPORT std::size_t recvmsg(int socket, msghdr& message, int flags, std::error_code& error);

/// POSIX: send, sendto, sendmsg.
SIGPP_EXPORT std::size_t send(int socket, std::span<const std::byte> from, int flags = 0);
SIGPP_EXPORT std::size_t send(int socket, std::span<const std::byte> from, int flags,
                              std::error_code& error);
SIGPP_EXPORT std::size_t sendto(int socket, std::span<const std::byte> from, int flags,
                                const sockaddr* to, socklen_t length);
SIGPP_EXPORT std::size_t sendto(int socket, std::span<const std::byte> from, int flags,
                                const sockaddr* to, socklen_t length, std::error_code& error);
SIGPP_EXPORT std::size_t sendmsg(int socket, const msghdr& message, int flags = 0);
SIGPP_EXPORT std::size_t sendmsg(int socket, const msghdr& message, int flags,
                                 std::error_code& error);

/// The new connection's descriptor. POSIX: accept; Linux: accept4, whose flags (SOCK_CLOEXEC,
/// SOCK_NONBLOCK) other systems refuse.
SIGPP_EXPORT int accept4(int socket, sockaddr* from, socklen_t* length, int flags);
SIGPP_EXPORT int accept4(int socket, sockaddr* from, socklen_t* length, int flags,
                         std::error_code& error);

/// If an exception leaves it, the connection may come about all the same; call it again to wait for
/// it. POSIX: connect.
SIGPP_EXPORT void connect(int socket, const sockaddr* to, socklen_t length);
SIGPP_EXPORT void connect(int socket, const sockaddr* to, socklen_t length, std::error_code& error);

/// The descriptor. For a FIFO it waits for the other side. Python: os.open. POSIX: open.
SIGPP_EXPORT int open(const char* path, int flags, mode_t mode = 0);
SIGPP_EXPORT int open(const char* path, int flags, mode_t mode, std::error_code& error);

namespace detail {

using time_limit = std::optional<std::chrono::steady_clock::time_point>;
SIGPP_EXPORT int poll_until(std::span<pollfd> all, time_limit until, const sigset_t* mask,
                            std::error_code* error);
SIGPP_EXPORT int select_until(int count, fd_set* in, fd_set* out, fd_set* except, time_limit until,
                              const sigset_t* mask, std::error_code* error);
SIGPP_EXPORT int epoll_until(int fd, std::span<epoll_event> events, time_limit until,
                             std::error_code* error);
template <class Rep, class Period>
time_limit after(std::chrono::duration<Rep, Period> length, const char* function) {
  return deadline_after(to_nanoseconds(length, function));
}

}  // namespace detail

/// How many are ready; 0: the time has passed. Without a time it waits for ever. Python:
/// select.poll. POSIX: poll.
inline int poll(std::span<pollfd> all) {
  return detail::poll_until(all, std::nullopt, nullptr, nullptr);
}
template <class Rep, class Period>
int poll(std::span<pollfd> all, std::chrono::duration<Rep, Period> timeout) {
  return detail::poll_until(all, detail::after(timeout, "poll"), nullptr, nullptr);
}
inline int poll(std::span<pollfd> all, std::chrono::steady_clock::time_point until) {
  return detail::poll_until(all, until, nullptr, nullptr);
}
inline int poll(std::span<pollfd> all, std::optional<std::chrono::steady_clock::time_point> until,
                std::error_code& error) {
  return detail::poll_until(all, until, nullptr, &error);
}
/// The thread has the mask `mask` while it waits. POSIX.1-2024: ppoll.
inline int ppoll(std::span<pollfd> all, detail::time_limit until, const sigset_t& mask) {
  return detail::poll_until(all, until, &mask, nullptr);
}
inline int ppoll(std::span<pollfd> all, detail::time_limit until, const sigset_t& mask,
                 std::error_code& error) {
  return detail::poll_until(all, until, &mask, &error);
}

/// Python: select.select. POSIX: select, pselect. The sets are changed only if something is ready
/// or the time has passed. EINVAL for a count above FD_SETSIZE.
inline int select(int count, fd_set* in, fd_set* out, fd_set* except,
                  detail::time_limit until = std::nullopt) {
  return detail::select_until(count, in, out, except, until, nullptr, nullptr);
}
inline int select(int count, fd_set* in, fd_set* out, fd_set* except, detail::time_limit until,
                  std::error_code& error) {
  return detail::select_until(count, in, out, except, until, nullptr, &error);
}
inline int pselect(int count, fd_set* in, fd_set* out, fd_set* except, detail::time_limit until,
                   const sigset_t& mask) {
  return detail::select_until(count, in, out, except, until, &mask, nullptr);
}
inline int pselect(int count, fd_set* in, fd_set* out, fd_set* except, detail::time_limit until,
                   const sigset_t& mask, std::error_code& error) {
  return detail::select_until(count, in, out, except, until, &mask, &error);
}

/// Python: select.epoll. Linux: epoll_wait(2); ENOSYS elsewhere.
inline int epoll_wait(int fd, std::span<epoll_event> events,
                      detail::time_limit until = std::nullopt) {
  return detail::epoll_until(fd, events, until, nullptr);
}
inline int epoll_wait(int fd, std::span<epoll_event> events, detail::time_limit until,
                      std::error_code& error) {
  return detail::epoll_until(fd, events, until, &error);
}

}  // namespace sigpp::inline v1
