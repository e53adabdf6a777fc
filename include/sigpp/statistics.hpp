// Every arrival is accounted for.
#pragma once

#include <cstdint>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// What became of the arrivals that sigpp's handler has seen in this process (a forked child starts
/// at 0). A dispatcher or stream that wants a signal gets a record of its own of each arrival, and
/// each record counts. When nothing is pending,
/// received == handled + merged + discarded + reraised + dropped.
struct signal_statistics {
  std::uint64_t received;   ///< records: once per arrival and dispatcher that wants it
  std::uint64_t handled;    ///< those that at least one function was called for
  std::uint64_t merged;     ///< joined to one that was still pending, as the queue was crowded
  std::uint64_t discarded;  ///< dropped: the action had become SIG_IGN, or only others want it now
  std::uint64_t reraised;   ///< back to the kernel: the action had become SIG_DFL or foreign
  std::uint64_t refused;    ///< no room with this dispatcher, while another one took the arrival
  std::uint64_t dropped;    ///< by a full stream, whose policy that is
  std::uint64_t held_back;  ///< how often a crowded queue or a storm has made a thread leave them
                            ///< to the kernel
  std::uint64_t taken_elsewhere;  ///< arrivals that another thread than their dispatcher's took
  std::uint64_t high_water;       ///< the most records that an arrival found, itself included
  friend bool operator==(const signal_statistics&, const signal_statistics&) = default;
};

/// Of one signal. Threads: any; each number is exact, they are not read at one instant.
/// Throws std::system_error (EINVAL) for a number out of range.
SIGPP_EXPORT [[nodiscard]] signal_statistics statistics(int signum);
/// Of all signals together; the high-water mark is the highest of theirs.
SIGPP_EXPORT [[nodiscard]] signal_statistics statistics() noexcept;

}  // namespace sigpp::inline v1
