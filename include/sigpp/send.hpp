// Sending signals.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>

#include <system_error>
#include <thread>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// Sends `signum` to the calling thread. Python: `signal.raise_signal`. POSIX: raise.
/// Handlers that run here (on the main thread those of signal(), on any other those subscribed at
/// its own dispatcher) have run when this returns, if the signal is not blocked; what they throw is
/// thrown. The others run on their threads, soon. 0 sends nothing and is no error.
/// Threads: any. Throws std::system_error: EINVAL for a number out of range; EAGAIN for a real-time
/// signal when the kernel's queue is full (RLIMIT_SIGPENDING).
SIGPP_EXPORT void raise_signal(int signum);
SIGPP_EXPORT void raise_signal(int signum, std::error_code& error);

/// Sends `signum` to process `pid` (0: every process of the group; -1: every process that one may
/// signal; -n: the group n; signum 0: only asks whether it could). Python: `os.kill`. POSIX: kill.
/// When a process signals itself, handlers that run here have run when this returns, as for
/// raise_signal(), unless the kernel gives the signal to another thread. Threads: any. Throws
/// std::system_error: EINVAL (number), ESRCH (no such process), EPERM.
SIGPP_EXPORT void kill(pid_t pid, int signum);
/// The error is stored instead of thrown; what a handler throws is still thrown.
SIGPP_EXPORT void kill(pid_t pid, int signum, std::error_code& error);

/// Sends `signum` to every process of the group `group`. Python: `os.killpg`. POSIX: killpg.
/// Threads, safe point, errors: as kill().
SIGPP_EXPORT void killpg(pid_t group, int signum);
SIGPP_EXPORT void killpg(pid_t group, int signum, std::error_code& error);

/// Sends `signum` to one thread of this process; on the calling one the handler has run when this
/// returns, as for raise_signal(). Python: `signal.pthread_kill`. POSIX: pthread_kill.
/// The handler still runs where it is subscribed; signal_info::thread() tells which thread was
/// meant. Threads: any. Throws std::system_error: EINVAL (number, or a std::thread that is not
/// joinable); ESRCH (the thread has ended; since glibc 2.34 that is no error, and nothing is sent).
/// A pthread_t must not have been joined, or detached and ended.
SIGPP_EXPORT void pthread_kill(pthread_t thread, int signum);
SIGPP_EXPORT void pthread_kill(pthread_t thread, int signum, std::error_code& error);
SIGPP_EXPORT void pthread_kill(std::thread& thread, int signum);
SIGPP_EXPORT void pthread_kill(std::thread& thread, int signum, std::error_code& error);
SIGPP_EXPORT void pthread_kill(std::jthread& thread, int signum);
SIGPP_EXPORT void pthread_kill(std::jthread& thread, int signum, std::error_code& error);

/// Queues `signum` with a value to process `pid`; the receiver finds it in signal_info::value().
/// Real-time signals (SIGRTMIN to SIGRTMAX) are queued one by one, the others merge with one that
/// is pending, value and all. Python: none. POSIX: sigqueue. Threads, safe point: as kill(). Throws
/// std::system_error: as kill(), and EAGAIN if the receiver's queue is full (RLIMIT_SIGPENDING);
/// ENOSYS where the system has no sigqueue.
SIGPP_EXPORT void sigqueue(pid_t pid, int signum, sigval value);
SIGPP_EXPORT void sigqueue(pid_t pid, int signum, sigval value, std::error_code& error);
SIGPP_EXPORT void sigqueue(pid_t pid, int signum, int value);
SIGPP_EXPORT void sigqueue(pid_t pid, int signum, int value, std::error_code& error);

/// Sends `signum` to the process that the descriptor `pidfd` refers to: unlike a pid, it can never
/// mean another process. Python: `signal.pidfd_send_signal`. Linux: pidfd_send_signal(2); no safe
/// point. Threads: any. Throws std::system_error: EBADF, EINVAL, EPERM, ESRCH; ENOSYS on other
/// systems.
SIGPP_EXPORT void pidfd_send_signal(int pidfd, int signum, unsigned flags = 0);
SIGPP_EXPORT void pidfd_send_signal(int pidfd, int signum, unsigned flags, std::error_code& error);

}  // namespace sigpp::inline v1
