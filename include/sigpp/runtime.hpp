// Inside the runtime of another language.
#pragma once

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// For interpreters, whose main thread looks between two instructions of its program, and when a
/// system call of the program's fails with EINTR, whether a flag is set: `tell` sets the flag.
///
/// From now on `tell` is called on the main thread whenever check() has something to do there,
/// inside the signal handler: it must be async-signal-safe. A signal that another thread takes
/// interrupts the main thread for it. A safe point that leaves something, as a function has thrown,
/// calls `tell` again. It may be called for nothing. And where the interpreter has just looked at
/// its flag and goes on to block, it is called again within 10 ms, and its system call ends by
/// EINTR, until check() has run what there was: so an interpreter that calls check() when it sees
/// the flag misses nothing. (Not for signals that restart calls, by siginterrupt(); nor where the
/// system has no timer left.) nullptr: no more.
///
/// While one is attached sigpp's actions are without SA_RESTART, so that the interpreter's system
/// calls fail with EINTR; siginterrupt() changes that for one signal. Python's is attached by the
/// `sigpp` package. Threads: any. Throws std::system_error (ENOMEM).
SIGPP_EXPORT void attach_runtime(void (*tell)());

}  // namespace sigpp::inline v1
