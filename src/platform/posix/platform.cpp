// Any POSIX.1-2008 system.
#include "platform/platform.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/select.h>

#include <cerrno>
#include <ctime>
#include <system_error>

namespace sigpp::inline v1::platform {

namespace {

// The thread that initialises the program or loads the library: by far most often the one of
// main().
pthread_t main_thread = pthread_self();

}  // namespace

fork_memory map_fork_memory(std::size_t bytes) {
  void* const address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (address == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "sigpp: no memory for signals");
  }
  return {address, false};
}

bool is_main_thread() noexcept { return pthread_equal(pthread_self(), main_thread) != 0; }

void adopt_main_thread() noexcept { main_thread = pthread_self(); }

int set_action(int signum, const struct sigaction* action, struct sigaction* old) noexcept {
  return sigaction(signum, action, old);
}

bool doorbell_can_be_shared() noexcept { return false; }

bool wait_for_handler(const sigset_t& mask,
                      std::optional<std::chrono::nanoseconds> timeout) noexcept {
  timespec limit{};
  if (timeout) {
    // POSIX lets pselect refuse more than 31 days; the caller goes on with what is left.
    constexpr std::chrono::nanoseconds longest = std::chrono::days{31};
    const auto length = timeout < longest ? *timeout : longest;
    limit.tv_sec = static_cast<time_t>(length.count() / 1'000'000'000);
    limit.tv_nsec = static_cast<long>(length.count() % 1'000'000'000);
  }
  return pselect(0, nullptr, nullptr, nullptr, timeout ? &limit : nullptr, &mask) != 0;
}

}  // namespace sigpp::inline v1::platform
