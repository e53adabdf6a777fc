// Linux: pages that fork wipes, thread ids that say who is main, ppoll.
#include "platform/platform.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <system_error>

#include "in_handler/delivery.hpp"

// Present when the program is built with ThreadSanitizer, whatever this library was built with.
// NOLINTNEXTLINE(*-reserved-identifier,readability-identifier-naming): the sanitizer's name
extern "C" [[gnu::weak]] void __tsan_init();
// The C library's own sigaction: the sanitizer replaces only the other name. It would run handlers
// late, with a copy of the context.
// NOLINTNEXTLINE(*-reserved-identifier,readability-identifier-naming)
extern "C" [[gnu::weak]] int __sigaction(int, const struct sigaction*, struct sigaction*) noexcept;

namespace sigpp::inline v1::platform {

fork_memory map_fork_memory(std::size_t bytes) {
  void* const address =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "sigpp: no memory for signals");
  }
  // Fails before Linux 4.14.
  return {address, madvise(address, bytes, MADV_WIPEONFORK) == 0};
}

bool is_main_thread() noexcept { return syscall(SYS_gettid) == getpid(); }

void adopt_main_thread() noexcept {}  // the kernel gives it the new process's id

int set_action(int signum, const struct sigaction* action, struct sigaction* old) noexcept {
  if (&__tsan_init != nullptr && &__sigaction != nullptr) return __sigaction(signum, action, old);
  return sigaction(signum, action, old);
}

bool doorbell_can_be_shared() noexcept { return true; }  // by its si_code

namespace {

// By syscall: ThreadSanitizer would ask how whoever writes to it, in a signal handler, knows of it.
int make_eventfd() noexcept {
  return static_cast<int>(syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
}

timespec to_timespec(std::optional<std::chrono::nanoseconds> time) noexcept {
  const auto count = time.value_or(std::chrono::nanoseconds::zero()).count();
  return {.tv_sec = count / 1'000'000'000, .tv_nsec = count % 1'000'000'000};
}

}  // namespace

doorbell_descriptor make_doorbell_descriptor() {
  const int made = make_eventfd();
  if (made < 0) {
    throw std::system_error(errno, std::generic_category(), "sigpp: no descriptor to poll");
  }
  return {made, made};
}

void remake(doorbell_descriptor& both) noexcept {
  if (both.to_poll < 0) return;
  const int made = make_eventfd();
  if (made < 0 || dup3(made, both.to_poll, O_CLOEXEC) < 0) {
    close(both);
  }
  if (made >= 0) ::close(made);
}

void empty(const doorbell_descriptor& which) noexcept {
  std::uint64_t count = 0;
  static_cast<void>(!read(which.to_poll, &count, sizeof count));
}

// By syscall, as its making.
void close(doorbell_descriptor& both) noexcept {
  if (both.to_poll >= 0) syscall(SYS_close, both.to_poll);
  both = {};
}

bool wait_for_handler(const sigset_t& mask, std::optional<std::chrono::nanoseconds> timeout) {
  const timespec limit = to_timespec(timeout);
  return ppoll(nullptr, 0, timeout ? &limit : nullptr, &mask) != 0;
}

// qemu-user, in which programs for other processors run, dies of a ring that comes in sigtimedwait.
bool takes_signals() noexcept {
#if defined(__x86_64__)
  return true;
#else
  return false;
#endif
}

// The C library asks for the thread's id each time. A child of vfork has another process's.
bool raise_here(int signum) noexcept {
  return syscall(SYS_tgkill, getpid(), in_handler::this_thread(), signum) == 0;
}

bool take_signal(const sigset_t& closed, std::optional<std::chrono::nanoseconds> timeout,
                 siginfo_t& info) {
  sigset_t open;
  sigfillset(&open);
  std::uint64_t left = 0;  // the kernel's set: sigtimedwait(2); a bit for each signal
  std::uint64_t out = 0;
  std::memcpy(&left, &open, sizeof left);
  std::memcpy(&out, &closed, sizeof out);
  left &= ~out;
  std::memcpy(&open, &left, sizeof left);
  const timespec limit = to_timespec(timeout);
  return (timeout ? sigtimedwait(&open, &info, &limit) : sigwaitinfo(&open, &info)) > 0;
}

int wait_for_signal(const sigset_t& wanted, const sigset_t& caught, const sigset_t& mask,
                    std::optional<std::chrono::nanoseconds> timeout, siginfo_t& info) {
  sigset_t both;
  sigset_t blocked;
  sigorset(&both, &wanted, &caught);
  sigorset(&blocked, &both, &mask);
  pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
  const timespec limit = to_timespec(timeout);
  const int taken = timeout ? sigtimedwait(&both, &info, &limit) : sigwaitinfo(&both, &info);
  return taken < 0 && errno == EAGAIN ? 0 : taken;
}

bool take_pending(const sigset_t& wanted, siginfo_t& info) noexcept {
  const timespec none{};
  return sigtimedwait(&wanted, &info, &none) > 0;
}

std::string symbol_at(const void* instruction) {
  Dl_info found{};
  if (dladdr(instruction, &found) == 0 || found.dli_sname == nullptr) return {};
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> demangled(
      abi::__cxa_demangle(found.dli_sname, nullptr, nullptr, &status), std::free);
  const auto offset = static_cast<const char*>(instruction) - static_cast<char*>(found.dli_saddr);
  char text[32];
  std::snprintf(text, sizeof text, "+0x%tx", offset);
  return std::string(demangled ? demangled.get() : found.dli_sname) + text;
}

int send_to_pidfd(int pidfd, int signum, unsigned flags) noexcept {
  return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signum, nullptr, flags));
}

int accept_with(int fd, sockaddr* from, socklen_t* length, int flags) noexcept {
  return accept4(fd, from, length, flags);
}

int epoll_now(int fd, void* events, int count) noexcept {
  return epoll_wait(fd, static_cast<epoll_event*>(events), count, 0);
}

bool try_join(pthread_t thread) { return pthread_tryjoin_np(thread, nullptr) == 0; }

int queue_signal(pid_t pid, int signum, const sigval& value) noexcept {
  return sigqueue(pid, signum, value);
}

}  // namespace sigpp::inline v1::platform
