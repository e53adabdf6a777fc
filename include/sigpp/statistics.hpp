// Every arrival is accounted for.
#pragma once

#include <cstdint>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// What became of the arrivals that sigpp's handler has seen in this process (a forked child starts
/// at 0). A dispatcher that wants a signal gets a record of its own of each arrival, and each
/// record counts. When nothing is pending, received == handled + merged + discarded + reraised.
struct signal_statistics {
  std::uint64_t received;   ///< records: once per arrival and dispatcher that wants it
  std::uint64_t handled;    ///< those that at least one function was called for
  std::uint64_t merged;     ///< joined to one that was still pending, as the queue was crowded
  std::uint64_t discarded;  ///< dropped: the action had become SIG_IGN, or only others want it now
  std::uint64_t reraised;   ///< back to the kernel: the action had become SIG_DFL or foreign
  std::uint64_t refused;    ///< no room with this dispatcher, while another one took the arrival
  friend bool operator==(const signal_statistics&, const signal_statistics&) = default;
};

/// Of one signal. Threads: any; each number is exact, the six are not read at one instant.
/// Throws std::system_error (EINVAL) for a number out of range.
SIGPP_EXPORT [[nodiscard]] signal_statistics statistics(int signum);
/// Of all signals together.
SIGPP_EXPORT [[nodiscard]] signal_statistics statistics() noexcept;

}  // namespace sigpp::inline v1
