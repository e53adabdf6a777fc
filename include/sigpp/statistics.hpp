// Every arrival is accounted for.
#pragma once

#include <cstdint>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// What became of the arrivals that sigpp's handler has seen in this process (a forked child starts
/// at 0). When nothing is pending, received == handled + merged + discarded + reraised.
struct signal_statistics {
  std::uint64_t received;  ///< the C-level handler ran
  std::uint64_t handled;   ///< handler calls
  std::uint64_t
      merged;  ///< joined to an arrival that was still pending, because the queue was crowded
  std::uint64_t discarded;  ///< dropped because the action had become SIG_IGN
  std::uint64_t
      reraised;  ///< given back to the kernel because the action had become SIG_DFL or foreign
  friend bool operator==(const signal_statistics&, const signal_statistics&) = default;
};

/// Of one signal. Threads: any; each number is exact, the five are not read at one instant.
/// Throws std::system_error (EINVAL) for a number out of range.
SIGPP_EXPORT [[nodiscard]] signal_statistics statistics(int signum);
/// Of all signals together.
SIGPP_EXPORT [[nodiscard]] signal_statistics statistics() noexcept;

}  // namespace sigpp::inline v1
