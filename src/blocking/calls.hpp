// The blocking system calls, each of which attention interrupts.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include <fcntl.h>

namespace sigpp::inline v1::blocking {

using deadline = std::optional<std::chrono::steady_clock::time_point>;
using word = std::atomic<unsigned>;

/// Each takes the attention word to look at; returns the call's result, or -errno: -EINTR if
/// attention was raised, or any signal handler ran, and the call has had no effect. One row per
/// call in docs/reference/blocking-calls.md.
struct calls {
  long (*read)(const word&, int fd, void* to, std::size_t bytes);
  long (*write)(const word&, int fd, const void* from, std::size_t bytes);
  long (*readv)(const word&, int fd, const iovec* to, int count);
  long (*writev)(const word&, int fd, const iovec* from, int count);
  long (*pread)(const word&, int fd, void* to, std::size_t bytes, off_t at);
  long (*pwrite)(const word&, int fd, const void* from, std::size_t bytes, off_t at);
  long (*recvfrom)(const word&, int fd, void* to, std::size_t bytes, int flags, sockaddr* from,
                   socklen_t* length);
  long (*recvmsg)(const word&, int fd, msghdr* message, int flags);
  long (*sendto)(const word&, int fd, const void* from, std::size_t bytes, int flags,
                 const sockaddr* to, socklen_t length);
  long (*sendmsg)(const word&, int fd, const msghdr* message, int flags);
  long (*accept)(const word&, int fd, sockaddr* from, socklen_t* length, int flags);
  long (*connect)(const word&, int fd, const sockaddr* to, socklen_t length);
  long (*poll)(const word&, pollfd* all, nfds_t count, deadline until, const sigset_t* mask);
  long (*epoll_wait)(const word&, int fd, void* events, int count, deadline until);
  long (*wait_child)(const word&, idtype_t type, id_t id, siginfo_t* info, int options);
  long (*open)(const word&, const char* path, int flags, mode_t mode);
  long (*flock)(const word&, int fd, int operation);
  /// fcntl(fd, command, lock), a command that waits.
  long (*lock)(const word&, int fd, int command, struct flock* lock);
  /// Until `value` is not `expected`, or somebody wakes, or 1 ms, or for no reason. -ETIMEDOUT.
  long (*futex_wait)(const word&, const std::atomic<std::uint32_t>& value, std::uint32_t expected,
                     deadline until);
  void (*futex_wake)(const std::atomic<std::uint32_t>& value, int count);
};

/// The table's functions: by what this system and this build have, tried out at the first call.
/// Direct calls: after a system call an indirect one costs 10 ns.
long read(const word&, int fd, void* to, std::size_t bytes);
long write(const word&, int fd, const void* from, std::size_t bytes);
long readv(const word&, int fd, const iovec* to, int count);
long writev(const word&, int fd, const iovec* from, int count);
long pread(const word&, int fd, void* to, std::size_t bytes, off_t at);
long pwrite(const word&, int fd, const void* from, std::size_t bytes, off_t at);
long recvfrom(const word&, int fd, void* to, std::size_t bytes, int flags, sockaddr* from,
              socklen_t* length);
long recvmsg(const word&, int fd, msghdr* message, int flags);
long sendto(const word&, int fd, const void* from, std::size_t bytes, int flags, const sockaddr* to,
            socklen_t length);
long sendmsg(const word&, int fd, const msghdr* message, int flags);
long accept(const word&, int fd, sockaddr* from, socklen_t* length, int flags);
long connect(const word&, int fd, const sockaddr* to, socklen_t length);
long poll(const word&, pollfd* all, nfds_t count, deadline until, const sigset_t* mask);
long epoll_wait(const word&, int fd, void* events, int count, deadline until);
long wait_child(const word&, idtype_t type, id_t id, siginfo_t* info, int options);
long open(const word&, const char* path, int flags, mode_t mode);
long flock(const word&, int fd, int operation);
/// fcntl(fd, command, lock), a command that waits.
long lock(const word&, int fd, int command, struct flock* lock);
/// Until `value` is not `expected`, or somebody wakes, or 1 ms, or for no reason. -ETIMEDOUT.
long futex_wait(const word&, const std::atomic<std::uint32_t>& value, std::uint32_t expected,
                deadline until);
void futex_wake(const std::atomic<std::uint32_t>& value, int count);

/// For sigpp::read and sigpp::write: the call's result where nothing is in the way, and what the
/// function `..._slowly` returns otherwise: `result` is -errno, or -EINTR if the call was not made.
long read_at_once(int fd, void* to, std::size_t bytes);
long write_at_once(int fd, const void* from, std::size_t bytes);
long read_slowly(long fd, long to, long bytes, long result);
long write_slowly(long fd, long from, long bytes, long result);

/// Has the stub passed its test? false, too, where there is none.
bool by_the_stub();

/// By mask, poll and a call that does not block; where that does not exist, by looking every 10 ms.
extern const calls by_polling;

/// The word that is never raised: for what must not be interrupted.
extern const word never;

}  // namespace sigpp::inline v1::blocking
