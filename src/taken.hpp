// Signals that a wait of sigpp has taken by a system call, in the handler's place.
#pragma once

#include <signal.h>

namespace sigpp::inline v1::detail {

/// With every signal blocked. Does the handler's work, or sends it again where it is other code's.
void hand_on(const siginfo_t& info);

/// The same for a wait that takes whatever comes, and may so take what sigpp has no part in: that
/// goes to this thread again, and acts when the mask is put back. So does what a terminal sends:
/// debuggers see signals on their way to a handler. false: the program ignores it.
bool take_over(const siginfo_t& info);

/// raise(3), and the handler's work without a handler: a third of the price. false: it is not to be
/// done so, and nothing has happened.
bool raise_and_take(int signum);

}  // namespace sigpp::inline v1::detail
