// Linux: every call by the stub, if a test at the start shows that it can be trusted.
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <type_traits>

#include <sigpp/check.hpp>

#include "blocking/calls.hpp"
#include "in_handler/call.hpp"
#include "in_handler/delivery.hpp"
#include "platform/thread_timer.hpp"
#include "process.hpp"

// There if the program is built with MemorySanitizer, whatever this library was built with.
// NOLINTNEXTLINE(*-reserved-identifier,readability-identifier-naming): the sanitizer's name
extern "C" [[gnu::weak]] void __msan_unpoison(const volatile void*, std::size_t);

namespace sigpp::inline v1::blocking {

namespace {

template <class T>
long argument(T value) noexcept {
  if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else {
    return static_cast<long>(value);
  }
}

template <class... T>
long enter(const word& attention, long number, T... arguments) noexcept {
  const in_handler::call call{number, argument(arguments)...};
  return sigpp_call(reinterpret_cast<const unsigned*>(&attention), &in_handler::active_call,
                    call.data());
}

// MemorySanitizer does not see what the stub's calls write. It is told after each of them; without
// the sanitizer that is a branch.
bool sanitized() noexcept { return &__msan_unpoison != nullptr; }

void written(const void* at, std::size_t bytes) noexcept {
  if (sanitized()) [[unlikely]]
    __msan_unpoison(at, bytes);
}

// `room`: recv may tell how long a message was that it has cut off.
long filled(const void* to, std::size_t room, long result) noexcept {
  if (result > 0) written(to, std::min(room, static_cast<std::size_t>(result)));
  return result;
}

long filled(const iovec* to, std::size_t count, long result) noexcept {
  auto left = static_cast<std::size_t>(std::max(result, 0L));
  for (; sanitized() && count > 0 && left > 0; ++to, --count) {
    filled(to->iov_base, to->iov_len, static_cast<long>(left));
    left -= std::min(to->iov_len, left);
  }
  return result;
}

// A socket's name, of which the call says how long it is.
class name_room {
 public:
  name_room(const void* name, const socklen_t* length) noexcept
      : name_(name), length_(length), before_(sanitized() && length != nullptr ? *length : 0) {}
  [[nodiscard]] long filled(long result) const noexcept {
    if (!sanitized() || result < 0 || name_ == nullptr || length_ == nullptr) return result;
    written(length_, sizeof *length_);
    written(name_, std::min(before_, *length_));
    return result;
  }

 private:
  const void* name_;
  const socklen_t* length_;
  socklen_t before_;
};

// What is left, for calls that take a relative time.
timespec left_of(std::chrono::steady_clock::time_point until) noexcept {
  using std::chrono::nanoseconds;
  const nanoseconds left = std::max<nanoseconds>(until - std::chrono::steady_clock::now(), {});
  return {.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000),
          .tv_nsec = static_cast<long>(left.count() % 1'000'000'000)};
}

constexpr long mask_size = _NSIG / 8;

// A ring that this thread sends itself through the stub must have run the handler when the next
// call waits, at the latest, and leave the results alone. Sanitizers may run handlers later.
bool handler_comes_in_time() noexcept {
  const siginfo_t ring = in_handler::os::ring_info();
  detail::attention.exchange(0);
  const long sent = enter(never, SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid),
                          SIGPP_DOORBELL_SIGNAL, &ring);
  // valgrind lets signals in when a call may wait.
  const timespec at_once{};
  const long waited = enter(never, SYS_ppoll, nullptr, 0, &at_once, nullptr, mask_size);
  return sent == 0 && (waited == 0 || waited == -EINTR) && detail::attention.load() != 0 &&
         in_handler::active_call == 0;
}

// A ring that comes while the call waits finds the program counter on the system call again, as
// SA_RESTART wants it, and must move it to the exit. If that is not honoured, the call is made once
// more, and finds attention raised: EAGAIN, as when the ring came too early, before the call.
bool handler_can_leave_the_call() noexcept try {
  using std::chrono::microseconds;
  for (microseconds wait(20); wait < std::chrono::milliseconds(100); wait *= 10) {
    detail::attention.exchange(0);
    platform::thread_timer timer;
    timer.arm(std::chrono::steady_clock::now() + wait);
    const long result =
        enter(never, SYS_futex, &detail::attention, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    if (result == -EINTR) return in_handler::active_call == 0;
  }
  return false;
} catch (...) {  // no timer can be had
  return false;
}

bool test() noexcept {
  unsigned raised = 1;
  const in_handler::call ask{SYS_getpid};
  if (sigpp_call(&raised, &in_handler::active_call, ask.data()) != -EINTR) return false;
  raised = 0;
  if (sigpp_call(&raised, &in_handler::active_call, ask.data()) != getpid()) return false;
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  detail::let_the_doorbell_in();  // for the time of the test
  const unsigned before = detail::attention.load();
  const bool works = handler_comes_in_time() && handler_can_leave_the_call();
  detail::attention.store(before | 1U);
  if (sigismember(&mask, SIGPP_DOORBELL_SIGNAL) == 1) {
    sigset_t doorbell;
    sigemptyset(&doorbell);
    sigaddset(&doorbell, SIGPP_DOORBELL_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &doorbell, nullptr);
  }
  return works;
}

// 0: not tried yet; 1: the stub works; 2: it does not.
constinit std::atomic<int> verdict{0};

// Set once this thread hears rings here. Initial-exec: else each read asks the linker's run-time
// where it is, and saves its registers for that.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool listens = false;

bool begin() {
  detail::prepare_this_thread();
  if (detail::runs_handlers()) detail::let_the_doorbell_in();
  listens = true;
  const int known = verdict.load(std::memory_order_acquire);
  if (known != 0) return known == 1;
  const bool works = test();
  verdict.store(works ? 1 : 2, std::memory_order_release);
  return works;
}

bool trusted() {
  if (listens && verdict.load(std::memory_order_acquire) == 1) [[likely]]
    return true;
  return begin();
}

}  // namespace

long read(const word& w, int fd, void* to, std::size_t bytes) {
  if (!trusted()) return by_polling.read(w, fd, to, bytes);
  return filled(to, bytes, enter(w, SYS_read, fd, to, bytes));
}

long write(const word& w, int fd, const void* from, std::size_t bytes) {
  if (!trusted()) return by_polling.write(w, fd, from, bytes);
  return enter(w, SYS_write, fd, from, bytes);
}

long readv(const word& w, int fd, const iovec* to, int count) {
  if (!trusted()) return by_polling.readv(w, fd, to, count);
  return filled(to, static_cast<std::size_t>(count), enter(w, SYS_readv, fd, to, count));
}

long writev(const word& w, int fd, const iovec* from, int count) {
  if (!trusted()) return by_polling.writev(w, fd, from, count);
  return enter(w, SYS_writev, fd, from, count);
}

long pread(const word& w, int fd, void* to, std::size_t bytes, off_t at) {
  if (!trusted()) return by_polling.pread(w, fd, to, bytes, at);
  return filled(to, bytes, enter(w, SYS_pread64, fd, to, bytes, at));
}

long pwrite(const word& w, int fd, const void* from, std::size_t bytes, off_t at) {
  if (!trusted()) return by_polling.pwrite(w, fd, from, bytes, at);
  return enter(w, SYS_pwrite64, fd, from, bytes, at);
}

long recvfrom(const word& w, int fd, void* to, std::size_t bytes, int flags, sockaddr* from,
              socklen_t* length) {
  if (!trusted()) return by_polling.recvfrom(w, fd, to, bytes, flags, from, length);
  const name_room name(from, length);
  return name.filled(
      blocking::filled(to, bytes, enter(w, SYS_recvfrom, fd, to, bytes, flags, from, length)));
}

long recvmsg(const word& w, int fd, msghdr* message, int flags) {
  if (!trusted()) return by_polling.recvmsg(w, fd, message, flags);
  const name_room name(message->msg_name, &message->msg_namelen);
  const long result = name.filled(enter(w, SYS_recvmsg, fd, message, flags));
  if (result < 0) return result;
  written(message, sizeof *message);
  written(message->msg_control, message->msg_controllen);
  return filled(message->msg_iov, message->msg_iovlen, result);
}

long sendto(const word& w, int fd, const void* from, std::size_t bytes, int flags,
            const sockaddr* to, socklen_t length) {
  if (!trusted()) return by_polling.sendto(w, fd, from, bytes, flags, to, length);
  return enter(w, SYS_sendto, fd, from, bytes, flags, to, length);
}

long sendmsg(const word& w, int fd, const msghdr* message, int flags) {
  if (!trusted()) return by_polling.sendmsg(w, fd, message, flags);
  return enter(w, SYS_sendmsg, fd, message, flags);
}

long accept(const word& w, int fd, sockaddr* from, socklen_t* length, int flags) {
  if (!trusted()) return by_polling.accept(w, fd, from, length, flags);
  const name_room name(from, length);
  return name.filled(enter(w, SYS_accept4, fd, from, length, flags));
}

long connect(const word& w, int fd, const sockaddr* to, socklen_t length) {
  if (!trusted()) return by_polling.connect(w, fd, to, length);
  return enter(w, SYS_connect, fd, to, length);
}

long poll(const word& w, pollfd* all, nfds_t count, deadline until, const sigset_t* mask) {
  if (!trusted()) return by_polling.poll(w, all, count, until, mask);
  timespec limit{};
  if (until) limit = left_of(*until);
  const long result = enter(w, SYS_ppoll, all, count, until ? &limit : nullptr, mask, mask_size);
  if (result >= 0) written(all, count * sizeof *all);
  return result;
}

long epoll_wait(const word& w, int fd, void* events, int count, deadline until) {
  if (!trusted()) return by_polling.epoll_wait(w, fd, events, count, until);
  int timeout = -1;
  if (until) {  // rounded up; who comes too early asks again
    const timespec left = left_of(*until);
    const long long ms = left.tv_sec * 1000LL + (left.tv_nsec + 999'999) / 1'000'000;
    timeout = static_cast<int>(std::min<long long>(ms, INT_MAX));
  }
  const long result = enter(w, SYS_epoll_pwait, fd, events, count, timeout, nullptr, mask_size);
  if (result > 0) written(events, static_cast<std::size_t>(result) * sizeof(epoll_event));
  return result;
}

long wait_child(const word& w, idtype_t type, id_t id, siginfo_t* info, int options) {
  if (!trusted()) return by_polling.wait_child(w, type, id, info, options);
  const long result = enter(w, SYS_waitid, type, id, info, options, nullptr);
  if (result >= 0) written(info, sizeof *info);
  return result;
}

long open(const word& w, const char* path, int flags, mode_t mode) {
  if (!trusted()) return by_polling.open(w, path, flags, mode);
  return enter(w, SYS_openat, AT_FDCWD, path, flags, mode);
}

long flock(const word& w, int fd, int operation) {
  if (!trusted()) return by_polling.flock(w, fd, operation);
  return enter(w, SYS_flock, fd, operation);
}

long lock(const word& w, int fd, int command, struct flock* lock) {
  if (!trusted()) return by_polling.lock(w, fd, command, lock);
  const long result = enter(w, SYS_fcntl, fd, command, lock);
  if (result >= 0) written(lock, sizeof *lock);  // F_GETLK
  return result;
}

long futex_wait(const word& w, const std::atomic<std::uint32_t>& value, std::uint32_t expected,
                deadline until) {
  if (!trusted()) return by_polling.futex_wait(w, value, expected, until);
  timespec at{};  // FUTEX_WAIT_BITSET takes an absolute time
  if (until) {
    const auto ns = std::max<long long>(until->time_since_epoch().count(), 0);
    at = {.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
          .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
  }
  return enter(w, SYS_futex, &value, FUTEX_WAIT_BITSET_PRIVATE, expected, until ? &at : nullptr,
               nullptr, FUTEX_BITSET_MATCH_ANY);
}

namespace {

constexpr in_handler::short_call short_read{SYS_read, read_slowly};
constexpr in_handler::short_call short_write{SYS_write, write_slowly};

long enter_short(const in_handler::short_call& what, long fd, long at, long bytes) {
  if (listens && !sanitized() && verdict.load(std::memory_order_acquire) == 1) [[likely]] {
    return sigpp_short_call(fd, at, bytes, &what,
                            reinterpret_cast<const unsigned*>(&detail::attention),
                            &in_handler::active_call);
  }
  return what.failed(fd, at, bytes, -EINTR);
}

}  // namespace

long read_at_once(int fd, void* to, std::size_t bytes) {
  return enter_short(short_read, fd, argument(to), argument(bytes));
}

long write_at_once(int fd, const void* from, std::size_t bytes) {
  return enter_short(short_write, fd, argument(from), argument(bytes));
}

void futex_wake(const std::atomic<std::uint32_t>& value, int count) {
  syscall(SYS_futex, &value, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

bool by_the_stub() { return trusted(); }

}  // namespace sigpp::inline v1::blocking
