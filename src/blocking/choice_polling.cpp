#include <cerrno>

#include "blocking/calls.hpp"

namespace sigpp::inline v1 {

long blocking::read(const word& w, int fd, void* to, std::size_t bytes) {
  return by_polling.read(w, fd, to, bytes);
}
long blocking::write(const word& w, int fd, const void* from, std::size_t bytes) {
  return by_polling.write(w, fd, from, bytes);
}
long blocking::readv(const word& w, int fd, const iovec* to, int count) {
  return by_polling.readv(w, fd, to, count);
}
long blocking::writev(const word& w, int fd, const iovec* from, int count) {
  return by_polling.writev(w, fd, from, count);
}
long blocking::pread(const word& w, int fd, void* to, std::size_t bytes, off_t at) {
  return by_polling.pread(w, fd, to, bytes, at);
}
long blocking::pwrite(const word& w, int fd, const void* from, std::size_t bytes, off_t at) {
  return by_polling.pwrite(w, fd, from, bytes, at);
}
long blocking::recvfrom(const word& w, int fd, void* to, std::size_t bytes, int flags,
                        sockaddr* from, socklen_t* length) {
  return by_polling.recvfrom(w, fd, to, bytes, flags, from, length);
}
long blocking::recvmsg(const word& w, int fd, msghdr* message, int flags) {
  return by_polling.recvmsg(w, fd, message, flags);
}
long blocking::sendto(const word& w, int fd, const void* from, std::size_t bytes, int flags,
                      const sockaddr* to, socklen_t length) {
  return by_polling.sendto(w, fd, from, bytes, flags, to, length);
}
long blocking::sendmsg(const word& w, int fd, const msghdr* message, int flags) {
  return by_polling.sendmsg(w, fd, message, flags);
}
long blocking::accept(const word& w, int fd, sockaddr* from, socklen_t* length, int flags) {
  return by_polling.accept(w, fd, from, length, flags);
}
long blocking::connect(const word& w, int fd, const sockaddr* to, socklen_t length) {
  return by_polling.connect(w, fd, to, length);
}
long blocking::poll(const word& w, pollfd* all, nfds_t count, deadline until,
                    const sigset_t* mask) {
  return by_polling.poll(w, all, count, until, mask);
}
long blocking::epoll_wait(const word& w, int fd, void* events, int count, deadline until) {
  return by_polling.epoll_wait(w, fd, events, count, until);
}
long blocking::wait_child(const word& w, idtype_t type, id_t id, siginfo_t* info, int options) {
  return by_polling.wait_child(w, type, id, info, options);
}
long blocking::open(const word& w, const char* path, int flags, mode_t mode) {
  return by_polling.open(w, path, flags, mode);
}
long blocking::flock(const word& w, int fd, int operation) {
  return by_polling.flock(w, fd, operation);
}
long blocking::lock(const word& w, int fd, int command, struct flock* lock) {
  return by_polling.lock(w, fd, command, lock);
}
long blocking::futex_wait(const word& w, const std::atomic<std::uint32_t>& value,
                          std::uint32_t expected, deadline until) {
  return by_polling.futex_wait(w, value, expected, until);
}
void blocking::futex_wake(const std::atomic<std::uint32_t>& value, int count) {
  return by_polling.futex_wake(value, count);
}

long blocking::read_at_once(int fd, void* to, std::size_t bytes) {
  return read_slowly(fd, reinterpret_cast<long>(to), static_cast<long>(bytes), -EINTR);
}
long blocking::write_at_once(int fd, const void* from, std::size_t bytes) {
  return write_slowly(fd, reinterpret_cast<long>(from), static_cast<long>(bytes), -EINTR);
}

bool blocking::by_the_stub() { return false; }

}  // namespace sigpp::inline v1
