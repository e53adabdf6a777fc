// Names of signals.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// What the system calls the signal, as "Interrupt" or "Terminated"; nullopt if it has no text.
/// Python: `signal.strsignal`. Threads: any.
/// Throws std::system_error (EINVAL) for a number out of range.
SIGPP_EXPORT [[nodiscard]] std::optional<std::string> strsignal(int signum);

/// The name of a number: "SIGINT", "SIGRTMIN", "SIGRTMIN+3", "SIGRTMAX". Python: `Signals(n).name`.
/// A number without a name (32 with glibc, 4242): "signal 4242". Threads: any.
SIGPP_EXPORT [[nodiscard]] std::string signal_name(int signum);

/// The number of a name: "INT", "SIGINT", "sigint", "RTMIN+3", "SIGRTMAX-1"; nullopt if there is
/// none. Threads: any. Never throws.
SIGPP_EXPORT [[nodiscard]] std::optional<int> signal_number(std::string_view name) noexcept;

}  // namespace sigpp::inline v1
