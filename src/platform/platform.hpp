// What sigpp needs of the system outside signal handlers. One folder implements it; CMake chooses.
// in_handler/os.hpp is the other half: what the handler itself needs.
//
// Arguments are valid; functions that can fail throw std::system_error with the errno.
#pragma once

#include <signal.h>

#include <chrono>
#include <cstddef>
#include <optional>

namespace sigpp::inline v1::platform {

/// Memory of zeros, never freed. true: the kernel makes it zeros again in a forked child, at the
/// instant of the fork. false: fork.cpp must do it.
struct fork_memory {
  void* address;
  bool wiped_by_kernel;
};
fork_memory map_fork_memory(std::size_t bytes);

/// Is the caller the thread that main() runs on, or the one that called fork() in a child?
bool is_main_thread() noexcept;
/// Called in a forked child, on its only thread.
void adopt_main_thread() noexcept;

/// sigaction(2), past interposers that would delay the handler (ThreadSanitizer's). -1 and errno.
int set_action(int signum, const struct sigaction* action, struct sigaction* old) noexcept;

/// Can a user's own use of the doorbell signal be told from a ring?
bool doorbell_can_be_shared() noexcept;

/// Blocks with the signal mask `mask`, set and taken back in one step with the blocking, until a
/// handler has run (true) or `timeout` has passed (false).
bool wait_for_handler(const sigset_t& mask,
                      std::optional<std::chrono::nanoseconds> timeout) noexcept;

}  // namespace sigpp::inline v1::platform
