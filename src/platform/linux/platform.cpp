// Linux: pages that fork wipes, thread ids that say who is main, ppoll.
#include "platform/platform.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <system_error>

// Present when the program is built with ThreadSanitizer, whatever this library was built with.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): the sanitizer's name
extern "C" [[gnu::weak]] void __tsan_init();
// The C library's own sigaction: the sanitizer replaces only the other name. It would run handlers
// late, with a copy of the context.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
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

bool wait_for_handler(const sigset_t& mask,
                      std::optional<std::chrono::nanoseconds> timeout) noexcept {
  timespec limit{};
  if (timeout) {
    limit.tv_sec = timeout->count() / 1'000'000'000;
    limit.tv_nsec = timeout->count() % 1'000'000'000;
  }
  return ppoll(nullptr, 0, timeout ? &limit : nullptr, &mask) != 0;
}

}  // namespace sigpp::inline v1::platform
