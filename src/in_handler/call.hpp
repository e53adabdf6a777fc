// Entering a system call that signals always interrupt.
#pragma once

#include <array>

namespace sigpp::inline v1::in_handler {

/// A system call's number and its arguments.
using call = std::array<long, 7>;

/// A system call of three arguments, and who goes on when it has failed: `result` is -errno.
struct short_call {
  long number;
  long (*failed)(long a, long b, long c, long result);
};

/// Nonzero while this thread is in sigpp_call(), or in a signal handler that has interrupted it
/// there.
extern constinit thread_local unsigned active_call [[gnu::tls_model("initial-exec")]];

}  // namespace sigpp::inline v1::in_handler

/// Makes the system call unless `*attention` is raised. Returns what the kernel returns; or -EINTR
/// without having had any effect, if attention was raised before, at whatever instruction. The test
/// and the call are one unit: see call_x86_64.S, and os::leave_call(), the handler's part of it.
///
/// Works whether or not the actions of signals have SA_RESTART. Writes 1, and at the end 0, to
/// `*active`.
extern "C" long sigpp_call(const unsigned* attention, unsigned* active, const long* call) noexcept;

/// The same for three arguments. To be entered by a jump at the end of a public function: it
/// returns to whoever has called that, and jumps to `failed` otherwise. So one return is left after
/// the system call, as in the C library; each costs 5 ns, as the kernel has emptied the processor's
/// memory of where calls came from.
extern "C" long sigpp_short_call(long a, long b, long c, const sigpp::in_handler::short_call* what,
                                 const unsigned* attention, unsigned* active);

/// The parts of each: [begin, end) is what the handler interrupts, by going on at `exit`.
extern "C" const char sigpp_call_begin[];
extern "C" const char sigpp_call_end[];
extern "C" const char sigpp_call_exit[];
extern "C" const char sigpp_call_last[];
extern "C" const char sigpp_short_begin[];
extern "C" const char sigpp_short_end[];
extern "C" const char sigpp_short_exit[];
extern "C" const char sigpp_short_last[];
