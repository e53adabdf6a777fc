// What sigpp needs of the system outside signal handlers. One folder implements it; CMake chooses.
// in_handler/os.hpp is the other half: what the handler itself needs.
//
// Arguments are valid; functions that can fail throw std::system_error with the errno.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

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

/// A descriptor to poll and one to write 8 bytes to, which makes the first one readable; -1: none.
/// Closed by exec, and neither blocks.
struct doorbell_descriptor {
  int to_poll = -1;
  int to_write = -1;
};
doorbell_descriptor make_doorbell_descriptor();
/// In a forked child: the same numbers, shared with the parent no more. Both -1 if that fails.
void remake(doorbell_descriptor& both) noexcept;
/// Reads what has been written.
void empty(const doorbell_descriptor& which) noexcept;
void close(doorbell_descriptor& both) noexcept;

/// Can a user's own use of the doorbell signal be told from a ring?
bool doorbell_can_be_shared() noexcept;

/// Blocks with the signal mask `mask`, set and taken back in one step with the blocking, until a
/// handler has run (true) or `timeout` has passed (false).
bool wait_for_handler(const sigset_t& mask, std::optional<std::chrono::nanoseconds> timeout);

/// Called with every signal blocked. Takes a pending one of `wanted`, or of `caught` where the
/// system can; else blocks, with the mask `mask` for all other signals, until there is one, or a
/// handler has run (-1), or `timeout` has passed (0). Returns the number. A ring may end it too:
/// then `info` has the doorbell's number.
int wait_for_signal(const sigset_t& wanted, const sigset_t& caught, const sigset_t& mask,
                    std::optional<std::chrono::nanoseconds> timeout, siginfo_t& info);

/// raise(3). false: it has failed.
bool raise_here(int signum) noexcept;

/// Can take_signal() be used?
bool takes_signals() noexcept;
/// With every signal blocked: waits for one that is not in `closed`, and takes it without a
/// handler. false: `timeout` has passed, or something else has ended the wait.
bool take_signal(const sigset_t& closed, std::optional<std::chrono::nanoseconds> timeout,
                 siginfo_t& info);

/// A timer for in_handler::os::start_grace(), whose end any thread of the process hears; nullptr
/// where there is none. A forked child makes its own.
void* make_grace_timer() noexcept;
void delete_grace_timer(void* timer) noexcept;

/// A timer for in_handler::os::start_nag(), whose end the main thread hears; nullptr where there is
/// none. A forked child makes its own.
void* make_nag_timer() noexcept;

/// Takes a pending signal of `wanted`, all of which are blocked: true. false: there is none, or the
/// system cannot.
bool take_pending(const sigset_t& wanted, siginfo_t& info) noexcept;

/// Sends this process the signal in a second, as long as it is there. For exit.
void kill_later(int signum) noexcept;

/// "function(arguments)+0x1c" of an instruction; empty if it cannot be told.
std::string symbol_at(const void* instruction);

/// pidfd_send_signal(2) without siginfo. -1 and errno; ENOSYS where there is none.
int send_to_pidfd(int pidfd, int signum, unsigned flags) noexcept;

/// accept4(2). -1 and errno.
int accept_with(int fd, sockaddr* from, socklen_t* length, int flags) noexcept;

/// epoll_wait(2) without waiting; `events`: epoll_event. -1 and errno; ENOSYS where there is none.
int epoll_now(int fd, void* events, int count) noexcept;

/// Has the thread ended? Then it is joined. Who has asked once asks until it has.
bool try_join(pthread_t thread);

/// sigqueue(3). -1 and errno; ENOSYS where there is none.
int queue_signal(pid_t pid, int signum, const sigval& value) noexcept;

}  // namespace sigpp::inline v1::platform
