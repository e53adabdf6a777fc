// An honest death: by the signal that ended the program, after its clean-up.
#pragma once

namespace sigpp::inline v1::detail {

/// When this process has ended with its clean-up, it dies by the signal; as process 1 it exits with
/// 128 + signum. Returns that.
int die_at_exit_by(int signum) noexcept;
void do_not_die_at_exit() noexcept;

}  // namespace sigpp::inline v1::detail
